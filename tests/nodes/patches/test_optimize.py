"""Z-Image Optimize: neutral until asked, honest about what it refuses, on models of any loader."""

import pytest
import torch
from safetensors.torch import save_file

STEPS = 2


@pytest.fixture(scope="module")
def optimize(pack):
    import importlib

    return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.patches.optimize")


@pytest.fixture(scope="module")
def memory(pack):
    import importlib

    return importlib.import_module(f"{pack.entry.__name__}.nodes.bridge.patches.cuda_graph_memory")


@pytest.fixture(scope="module")
def models(comfy, pack, native, tmp_path_factory):
    """One file through our loader, and as ComfyUI's would have it, which reads released widths only."""
    path = tmp_path_factory.mktemp("models") / "zimage.safetensors"
    save_file(native.weights(), path)
    stock = native.model()
    stock.cached_patcher_init = (comfy.sd.load_diffusion_model, (str(path), {}))
    return {"ours": pack.bridge_model.load_model(str(path)), "stock": stock}


def picture(comfy, native, model):
    noise = torch.randn(1, 16, 8, 8, generator=torch.Generator().manual_seed(3))
    settings = (STEPS, 1.0, "euler", "simple", native.conditioning(17, 1), native.conditioning(40, 2))
    return comfy.sample.sample(model, noise, *settings, torch.zeros(1, 16, 8, 8), disable_pbar=True)


def relative(out, truth):
    return ((out - truth).norm() / truth.norm()).item()


@pytest.mark.parametrize("loader", ["ours", "stock"])
def test_with_default_choices_it_draws_the_same_picture(comfy, native, optimize, models, loader):
    model = models[loader]
    optimized, report = optimize.optimize(model, optimize.KEEP, optimize.AUTOMATIC, optimize.OFF)
    expected = picture(comfy, native, model)
    torch.testing.assert_close(
        picture(comfy, native, optimized), expected, atol=0 if loader == "ours" else 1e-4, rtol=0
    )
    topics = [line.partition(":")[0] for line in report.splitlines()]
    assert topics == ["precision", "CUDA graphs", "code", "attention", "compiling", "caching", "memory"]
    assert "one exact kernel on cpu" in report


@pytest.mark.parametrize("loader", ["ours", "stock"])
def test_int8_loads_the_file_again_under_the_same_patches(comfy, native, optimize, models, loader):
    model = models[loader].clone()
    key = "diffusion_model.x_embedder.weight"
    model.add_patches({key: ("diff", (torch.full((256, 64), 0.05),))}, 1.0)
    exact = picture(comfy, native, model)
    optimized, report = optimize.optimize(model, optimize.INT8, optimize.COMFYUI, optimize.OFF)
    drawn = picture(comfy, native, optimized)
    assert 0 < relative(drawn, exact) < 0.05 < relative(picture(comfy, native, models[loader]), exact)
    assert "int8, not exact" in report
    assert optimized.model_size() < 0.85 * models["ours"].model_size()
    assert torch.equal(picture(comfy, native, model), exact)
    assert torch.equal(
        picture(comfy, native, optimize.optimize(optimized, optimize.INT8, optimize.COMFYUI, optimize.OFF).model), drawn
    )


def test_a_model_whose_file_is_unknown_stays_exact_and_says_so(comfy, native, optimize, models):
    model = models["ours"].clone()
    model.cached_patcher_init = None
    optimized, report = optimize.optimize(model, optimize.INT8, optimize.COMFYUI, optimize.OFF)
    assert "int8 refused" in report
    assert torch.equal(picture(comfy, native, optimized), picture(comfy, native, model))


def test_memory_is_reported_as_it_is(optimize, memory, models, monkeypatch):
    """By hand: the file's bytes, and four in five of them when so much is free besides the step."""
    model = models["ours"]
    size = sum(tensor.nbytes for tensor in model.model.state_dict().values())
    line = optimize.memory(model)
    assert f"{size / 1e9:.2f} GB of weights" in line
    assert "everything fits" in line
    config = model.model.diffusion_model.config
    step = memory.step_memory(config, torch.float32, False, (1, 16, 128, 128)).reserved
    assert f"{step / 1e9:.2f} GB for a step at 1024x1024" in line
    free = step + 0.8 * model.model_size() - model.loaded_size()
    monkeypatch.setattr(memory.model_management, "get_free_memory", lambda device: free)
    assert "about 80% of the weights can stay" in optimize.memory(model)


def test_the_reported_step_is_what_comfyui_is_asked_to_reserve(memory, models, monkeypatch):
    """Where attention keeps no scores, as on a GPU; for a CPU ComfyUI's own estimate stays."""
    model = models["ours"]
    monkeypatch.setattr(memory.model_management, "pytorch_attention_flash_attention", lambda: True)
    assert memory.model_memory(model).step == model.model.memory_required([1, 16, 128, 128])


PACKAGES = {"sage (faster, not exact)": "sage", "flash": "flash", "xformers": "xformers"}


@pytest.mark.parametrize(("choice", "name"), PACKAGES.items())
def test_an_attention_is_refused_where_its_package_is_not_installed(optimize, models, choice, name):
    assert f"{name} refused" in optimize.optimize(models["ours"], optimize.KEEP, choice, optimize.OFF).report


@pytest.mark.parametrize(("choice", "name"), PACKAGES.items())
def test_an_installed_attention_runs_for_this_model_alone(comfy, native, optimize, models, choice, name, monkeypatch):
    attention, calls = comfy.ldm.modules.attention, []

    def installed(*args, **kwargs):
        calls.append(1)
        return attention.attention_pytorch(*args, **kwargs)

    monkeypatch.setitem(attention.REGISTERED_ATTENTION_FUNCTIONS, name, installed)
    model = models["ours"]
    optimized, report = optimize.optimize(model, optimize.KEEP, choice, optimize.OFF)
    assert "refused" not in report
    drawn = picture(comfy, native, optimized)
    assert calls
    calls.clear()
    torch.testing.assert_close(picture(comfy, native, model), drawn)
    assert not calls


@pytest.mark.parametrize("choice", ["automatic", "sage (faster, not exact)"])
def test_an_attention_of_an_earlier_node_is_left_alone(comfy, native, optimize, models, choice):
    seen = []

    def theirs(original, *args, **kwargs):
        seen.append(1)
        return original(*args, **kwargs)

    model = models["ours"].clone()
    model.model_options["transformer_options"]["optimized_attention_override"] = theirs
    optimized, report = optimize.optimize(model, optimize.KEEP, choice, optimize.OFF)
    assert "left to the node" in report
    picture(comfy, native, optimized)
    assert seen


@pytest.mark.parametrize("loader", ["ours", "stock"])
def test_a_measured_attention_runs_in_every_block_and_keeps_the_picture(
    comfy, native, optimize, models, loader, monkeypatch
):
    """As on a GPU: two kernels that take turns in being the fastest."""
    from collections import Counter

    runs, attention = Counter(), optimize.FastestAttention.__call__.__globals__["Backend"]

    def counted(name):
        def run(q, k, v, *, is_causal=False):
            runs[name] += 1
            return optimize.BACKENDS["sdpa"].run(q, k, v, is_causal=is_causal)

        return attention(run, lambda q: True)

    attend = optimize.FastestAttention(
        {"first": counted("first"), "second": counted("second")}, lambda run: -runs.total()
    )
    monkeypatch.setattr(optimize, "is_nvidia_gpu", lambda device: True)
    monkeypatch.setattr(optimize, "FastestAttention", lambda: attend)
    optimized, report = optimize.optimize(models[loader], optimize.KEEP, optimize.AUTOMATIC, optimize.OFF)
    assert "the fastest of" in report
    drawn = picture(comfy, native, optimized)
    torch.testing.assert_close(drawn, picture(comfy, native, models[loader]), atol=1e-4, rtol=0)
    assert set(attend.chosen.values()) == {"second"}
    assert runs["second"] >= STEPS * native.CONFIG.n_layers


def test_a_measured_attention_leaves_captions_refined_once(comfy, native, optimize, models, monkeypatch):
    monkeypatch.setattr(optimize, "is_nvidia_gpu", lambda device: True)
    model = optimize.optimize(models["ours"], optimize.KEEP, optimize.AUTOMATIC, optimize.OFF).model
    calls = []
    block = models["ours"].model.diffusion_model.context_refiner[0]
    handle = block.register_forward_hook(lambda *_: calls.append(1))
    picture(comfy, native, model)
    handle.remove()
    assert len(calls) == 1


def test_masks_go_to_comfyuis_own_attention(optimize):
    calls = []
    run = optimize.as_override(None)
    out = run(lambda *args, **kwargs: calls.append(kwargs) or "theirs", 1, 2, 3, 4, mask="mask", skip_reshape=True)
    assert out == "theirs"
    assert calls == [{"mask": "mask", "skip_reshape": True}]


def test_another_familys_model_is_refused_by_name(comfy, optimize, models):
    class Other:
        pass

    foreign = models["stock"].clone()
    foreign.model = Other()
    foreign.model.diffusion_model = torch.nn.Linear(2, 2)
    foreign.model.get_dtype = lambda: torch.float32
    foreign.model.model_config = type("Config", (), {"quant_config": None})()
    with pytest.raises(ValueError, match="not a Z-Image"):
        optimize.optimize(foreign, optimize.KEEP, optimize.AUTOMATIC, optimize.OFF)


class Compiled(torch.nn.Module):
    """Stands for what torch.compile makes of a module, and counts."""

    def __init__(self, module, calls):
        super().__init__()
        self._orig_mod, self.calls = module, calls

    def forward(self, *args, **kwargs):
        self.calls.append(1)
        return self._orig_mod(*args, **kwargs)

    def __getattr__(self, name):
        module = self.__dict__["_modules"]["_orig_mod"]
        return module if name == "_orig_mod" else getattr(module, name)


@pytest.mark.parametrize("loader", ["ours", "stock"])
def test_compiled_layers_are_those_that_run(comfy, native, optimize, models, loader, monkeypatch):
    calls = []
    monkeypatch.setattr(torch, "compile", lambda model, **_: Compiled(model, calls))
    plain = optimize.optimize(models[loader], optimize.KEEP, optimize.COMFYUI, optimize.OFF).model
    optimized, report = optimize.optimize(models[loader], optimize.KEEP, optimize.COMFYUI, optimize.LAYERS)
    assert torch.equal(picture(comfy, native, optimized), picture(comfy, native, plain))
    assert len(calls) == STEPS * native.CONFIG.n_layers
    assert f"compiling: {native.CONFIG.n_layers} layers" in report


def test_caching_is_the_step_cache_nodes_own(comfy, pack, native, optimize, models):
    """The same skips as the node with its defaults, named in the report; an earlier node's cache keeps its settings."""
    model = models["ours"]
    optimized, report = optimize.optimize(model, optimize.KEEP, optimize.COMFYUI, optimize.OFF, optimize.STEPS)
    assert "caching: steps at which the prediction drifts by less than 5% are skipped, not exact" in report
    assert torch.equal(
        picture(comfy, native, optimized),
        picture(comfy, native, optimize.with_step_cache(model, optimize.DEFAULT_CACHE)),
    )
    optimized, report = optimize.optimize(
        optimize.with_step_cache(model, optimize.DEFAULT_CACHE), optimize.KEEP, optimize.COMFYUI, optimize.OFF
    )
    assert "caching: left to the Z-Image Step Cache before" in report
    assert optimize.has_step_cache(optimized) and not optimize.has_step_cache(model)
