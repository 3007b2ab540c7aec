"""Encoders of pictures against the same networks built of PyTorch's and transformers' own modules."""

import sys
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from zimage_core.scoring.features import (
    CachedEncoder,
    DiversityScore,
    DreamSimFolder,
    EfficientNetLite,
    NearestReferenceScore,
    PictureEncoder,
    ReferencesFolder,
    diversity,
    diversity_interval,
    dreamsim_folder,
    efficientnet,
)
from zimage_core.scoring.model_folder import ModelFolderError
from zimage_core.scoring.score import OfWholePrompts, Request

PICTURES = [
    Image.effect_mandelbrot((300, 200), (-2, -1.5, 1, 1.5), 60).convert("RGB"),
    Image.linear_gradient("L").convert("RGB"),
    Image.new("RGB", (64, 64), "red"),
]


class Means:
    """A picture's mean colour, and how often it was asked."""

    name = "mean colour"

    def __init__(self):
        self.asked = 0

    def pictures(self, pictures):
        self.asked += len(pictures)
        colours = torch.tensor([picture.resize((1, 1)).getpixel((0, 0)) for picture in pictures]).float() + 1
        return colours / colours.norm(dim=-1, keepdim=True)


def unfolded(weights, x):
    """The published network from PyTorch's modules, with its batch norms, padded as TensorFlow does at 224 pixels."""

    def layer(x, convolution, norm, stride=1):
        weight = weights[f"{convolution}.weight"]
        kernel, n = weight.shape[-1], weight.shape[0]
        groups = n if weight.shape[1] == 1 else 1
        short = (kernel - 1) // 2
        pad = nn.ZeroPad2d((short - 1, short, short - 1, short) if stride == 2 else short)
        run = nn.Conv2d(x.shape[1], n, kernel, stride, groups=groups, bias=False)
        run.weight.data = weight
        normed = nn.BatchNorm2d(n, eps=1e-3).eval()
        normed.load_state_dict(
            {key.split(".")[-1]: each for key, each in weights.items() if key.startswith(f"{norm}.")}
        )
        return normed(run(pad(x)))

    strides = {1: 2, 3: 2, 5: 2, 11: 2}
    x = nn.functional.relu6(layer(x, "_conv_stem", "_bn0", 2))
    for index in range(16):
        block, before = f"_blocks.{index}", x
        if index:
            x = nn.functional.relu6(layer(x, f"{block}._expand_conv", f"{block}._bn0"))
        x = nn.functional.relu6(layer(x, f"{block}._depthwise_conv", f"{block}._bn1", strides.get(index, 1)))
        x = layer(x, f"{block}._project_conv", f"{block}._bn2")
        x = x + before if x.shape == before.shape else x
    return nn.functional.relu6(layer(x, "_conv_head", "_bn1")).mean((2, 3))


@pytest.mark.slow
def test_efficientnet_is_its_modules():
    pytest.importorskip(efficientnet.PACKAGE)
    encoder = EfficientNetLite(batch=2)
    assert isinstance(encoder, PictureEncoder)
    with torch.inference_mode():
        expected = unfolded(efficientnet.read_weights(), efficientnet.pixels(PICTURES))
    expected = nn.functional.normalize(expected, dim=-1)
    assert torch.allclose(encoder.pictures(PICTURES), expected, atol=1e-5)


def test_a_package_that_is_missing_or_another_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    with pytest.raises(ModelFolderError, match="install it with"):
        EfficientNetLite()
    (tmp_path / "models").mkdir()
    (tmp_path / efficientnet.FILE).write_bytes(b"code")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: spec)
    with pytest.raises(ModelFolderError, match="is not the file that was published"):
        EfficientNetLite()


def test_a_cache_asks_once_for_each_picture_and_survives_a_kill(tmp_path):
    file, means = tmp_path / "features.jsonl", Means()
    first = CachedEncoder(means, file).pictures([*PICTURES, PICTURES[0]])
    assert means.asked == 3 and torch.equal(first[0], first[3])
    other = Means()
    other.name = "another encoder"
    CachedEncoder(other, file).pictures(PICTURES[:1])
    assert other.asked == 1
    file.write_bytes(file.read_bytes()[:-9])  # the other's line was half written
    assert torch.equal(CachedEncoder(means, file).pictures(PICTURES[::-1]), first[:3].flip(0)) and means.asked == 3
    CachedEncoder(other, file).pictures(PICTURES[:1])
    assert other.asked == 2


def test_diversity_of_a_prompt_is_the_mean_over_its_pairs():
    score, (one, other) = DiversityScore(Means()), (Request(prompt="a"), Request(prompt="a"))
    assert isinstance(score, OfWholePrompts) and score([], []) == []
    found = score([*PICTURES, *PICTURES[:2], PICTURES[2]], [one, one, one, other, other, Request()])
    values = [each.value for each in found]
    features = Means().pictures(PICTURES)
    assert sum(values[:3]) / 3 == pytest.approx(diversity(features), abs=1e-6)
    assert sum(values[3:5]) / 2 == pytest.approx(diversity(features[:2]), abs=1e-6)
    assert values[5] is None and "two pictures" in found[5].problem


def test_the_interval_of_diversity_leaves_each_picture_out_once(generator):
    features = torch.randn(7, 5, generator=generator)
    without = torch.tensor([diversity(features[torch.arange(7) != i]) for i in range(7)], dtype=torch.float64)
    spread = (6 / 7 * (without - without.mean()).square().sum()).sqrt()
    low, high = diversity_interval(features)
    assert (high - low) / 2 == pytest.approx(1.96 * float(spread), abs=1e-9)
    assert (high + low) / 2 == pytest.approx(diversity(features))


class OpenAiLayer(nn.Module):
    """A layer of OpenAI's CLIP, of PyTorch's own attention, under its names."""

    def __init__(self, width):
        super().__init__()
        self.attn, self.ln_1, self.ln_2 = (
            nn.MultiheadAttention(width, width // 64),
            nn.LayerNorm(width),
            nn.LayerNorm(width),
        )
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x):
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed)[0]
        wide = self.mlp["c_fc"](self.ln_2(x))
        return x + self.mlp["c_proj"](wide * torch.sigmoid(1.702 * wide))


class OpenAiTower(nn.Module):
    def __init__(self, width=128, layers=2, patch=56, side=224):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((side // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = nn.ModuleDict({"resblocks": nn.Sequential(*(OpenAiLayer(width) for _ in range(layers)))})

    def forward(self, pixels):
        x = self.conv1(pixels).flatten(2).permute(2, 0, 1)  # (tokens, n, c)
        x = torch.cat([self.class_embedding.expand(1, x.shape[1], -1), x]) + self.positional_embedding[:, None]
        return self.ln_post(self.transformer["resblocks"](self.ln_pre(x))[0])


@pytest.mark.slow
def test_styles_are_cosines_with_references_by_two_models(tmp_path):
    from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    tower, projection = OpenAiTower().eval(), torch.randn(128, 16)
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPVisionConfig(**sizes, image_size=224, patch_size=56, projection_dim=8)
    model = CLIPVisionModelWithProjection(config).eval()
    references = {"csd": torch.randn(3, 16), "se": torch.randn(2, 8)}
    for name, vectors in references.items():
        (tmp_path / name).mkdir()
        save_file({"pop_art": vectors}, tmp_path / name / "references.safetensors")
    named = {f"module.backbone.{key}": each for key, each in tower.state_dict().items()}
    save_file({**named, "module.last_layer_style": projection}, tmp_path / "csd/csd.safetensors")
    model.save_pretrained(tmp_path / "se")
    score = NearestReferenceScore("style", [ReferencesFolder(tmp_path / name) for name in references], floor=0.0)
    found = score(PICTURES, [Request(rules={"reference": "pop_art"})] * 3)
    pixels = CLIPImageProcessor()(images=PICTURES, return_tensors="pt").pixel_values
    with torch.inference_mode():
        seen = {"csd": tower(pixels) @ projection, "se": model(pixel_values=pixels).image_embeds}
    cosines = {
        name: nn.functional.cosine_similarity(seen[name][:, None], vectors[None], dim=-1).amax(1).clamp(min=0)
        for name, vectors in references.items()
    }
    assert score.reader == "csd and se"
    assert [each.value for each in found] == pytest.approx(((cosines["csd"] + cosines["se"]) / 2).tolist(), abs=1e-5)
    assert found[0].parts["csd"] == pytest.approx(float(cosines["csd"][0]), abs=1e-5)
    assert score(PICTURES[:1], [Request()])[0].value is None
    with pytest.raises(ModelFolderError, match="no vectors of cubism"):
        score(PICTURES[:1], [Request(rules={"reference": "cubism"})])
    save_file({"pop_art": torch.randn(2, 9)}, tmp_path / "se/references.safetensors")
    with pytest.raises(ModelFolderError, match="vectors of 9 numbers, and the model there gives 8"):
        ReferencesFolder(tmp_path / "se").nearest(PICTURES[0], "pop_art")


def test_folders_without_a_model_or_vectors_are_a_sentence(tmp_path):
    with pytest.raises(ModelFolderError, match="there is no folder"):
        ReferencesFolder(tmp_path / "none")
    save_file({"weight": torch.zeros(2)}, tmp_path / "csd.safetensors")
    with pytest.raises(ModelFolderError, match="CSD's model_state_dict"):
        ReferencesFolder(tmp_path)
    save_file({"last_layer_style": torch.zeros(2)}, tmp_path / "csd.safetensors")
    with pytest.raises(ModelFolderError, match="references.safetensors cannot be read"):
        ReferencesFolder(tmp_path)


def test_dreamsim_is_asked_only_where_nothing_would_be_fetched(tmp_path, monkeypatch, capsys):
    with pytest.raises(ModelFolderError, match="none is fetched"):
        DreamSimFolder(tmp_path)
    for name in dreamsim_folder.FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(dreamsim_folder, "find_spec", lambda name: None)
    with pytest.raises(ModelFolderError, match="pip install dreamsim"):
        DreamSimFolder(tmp_path)

    def made(**asked):
        sys.stdout.write("Using cached")
        assert asked == {"pretrained": True, "device": "cpu", "cache_dir": str(tmp_path)}
        model = SimpleNamespace(embed=lambda pixels: 3 * pixels)
        return model, lambda picture: Means().pictures([picture])

    monkeypatch.setattr(dreamsim_folder, "find_spec", lambda name: "there")
    monkeypatch.setitem(sys.modules, "dreamsim", SimpleNamespace(dreamsim=made))
    encoder = DreamSimFolder(tmp_path)
    assert torch.allclose(encoder.pictures(PICTURES), Means().pictures(PICTURES)) and capsys.readouterr().out == ""
