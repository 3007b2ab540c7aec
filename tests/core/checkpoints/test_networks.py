"""The registry of networks: every record is complete, and names a file, a class and a config that belong together."""

import pytest
import torch

import tiny
from model_files import CONTROL as CONTROL_CONFIG
from released_headers import ENCODER
from zimage_core.checkpoints.formats.files import headers_of
from zimage_core.checkpoints.load import open_network
from zimage_core.checkpoints.networks import ADD_ON_NETWORKS, CONTROL, PIPELINE_NETWORKS, TEXT_ENCODER
from zimage_core.nano.files import FOLDER, file_of

CONFIGS = {
    "transformer": tiny.DIT,
    "text_encoder": tiny.TEXT,
    "vae": tiny.VAE,
    "siglip": tiny.VISION,
    "controlnet": CONTROL_CONFIG,
}
NETWORKS = (*PIPELINE_NETWORKS, *ADD_ON_NETWORKS)


def test_no_two_networks_share_a_name_or_a_folder():
    for values in zip(*((each.name, each.folder, each.subfolder, each.example) for each in NETWORKS), strict=True):
        assert len(set(values)) == len(NETWORKS)


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.subfolder)
def test_every_layout_and_prefix_is_located_by_its_keys_alone(network):
    state = network.build(CONFIGS[network.subfolder], device="meta").state_dict()
    for layout in network.layouts:
        keys = layout.to_file(state).keys()
        assert layout.unique_key in keys
        for prefix in network.prefixes:
            assert network.locate({prefix + key for key in keys}) == (prefix, layout)


@pytest.mark.parametrize("network", PIPELINE_NETWORKS, ids=lambda network: network.subfolder)
def test_the_built_in_file_opens_to_the_network_it_is_named_for(network):
    opened = open_network(file_of(network), network)
    assert isinstance(opened.skeleton, network.build)
    assert opened.weights.n_parameters == sum(each.numel() for each in opened.skeleton.parameters())
    assert all(each.device == torch.device("meta") for each in opened.skeleton.parameters())
    assert headers_of(network.path_in(FOLDER)).keys() == {file_of(network)}


def test_a_network_the_built_in_model_lacks_is_named():
    with pytest.raises(ValueError, match="the built-in model has no ControlNet"):
        file_of(CONTROL)


@pytest.mark.parametrize(("n_found", "n_run"), [(36, 35), (35, 35)])
@pytest.mark.parametrize("has_norm", [True, False])
def test_the_published_depth_decides_which_text_encoder_layers_run(n_found, n_run, has_norm):
    shapes = {key: torch.empty(shape, device="meta") for key, shape in ENCODER.items()}
    kept = {key: value for key, value in shapes.items() if n_found == 36 or ".layers.35." not in key}
    if not has_norm:
        del kept["model.norm.weight"]
    assert TEXT_ENCODER.read_config(kept).n_layers_run == n_run


@pytest.mark.parametrize("n_found", [3, 34, 37])
def test_another_depth_is_a_fault(n_found):
    layer = {key: shape for key, shape in ENCODER.items() if ".layers.0." in key}
    shapes = {key.replace(".0.", f".{index}."): shape for index in range(n_found) for key, shape in layer.items()}
    assert f"has {n_found} layers, but this text encoder has 36" in TEXT_ENCODER.depth(shapes).fault
