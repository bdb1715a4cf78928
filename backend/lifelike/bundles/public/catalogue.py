# SPDX-License-Identifier: GPL-3.0-or-later
"""The published files Lifelike knows.

Licences and citations are those of the projects' own README and LICENSE files. None of these projects publishes a hash:
size and SHA-256 are what several people who fetched the files wrote down, each entry's note says how many. None of the
addresses was tried when this was written.
"""

from __future__ import annotations

from lifelike.bundles.public.entry import Part, PublicFile, PublicSet, Terms
from lifelike_protocol.errors import ErrorCode, LifelikeError

_RESEARCH_ONLY = "its section 3.3 allows use “for research or evaluation purposes only”"
_STYLEGAN = (
    "Karras, Laine, Aila: A Style-Based Generator Architecture for Generative Adversarial Networks (FFHQ), CVPR 2019"
)
_STYLEGAN2 = "Karras et al.: Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020"

# What every generator of this list has learnt from: the data set is CC BY-NC-SA 4.0, which allows no commercial use.
_FFHQ = "trained on FFHQ, itself CC BY-NC-SA 4.0"

STYLEGAN2_TERMS = Terms(
    licence="Nvidia Source Code License-NC",
    text="https://nvlabs.github.io/stylegan2/license.html",
    non_commercial=True,
    why=f"{_RESEARCH_ONLY}; {_FFHQ}",
    citations=(_STYLEGAN2, _STYLEGAN),
)

STYLEGAN2_ADA = PublicFile(
    name="stylegan2-ada-ffhq",
    file_name="ffhq.pkl",
    what="Generator of faces, 1024 pixels, with its discriminator (NVIDIA, PyTorch)",
    part=Part.PHOTO,
    page="https://github.com/NVlabs/stylegan2-ada-pytorch",
    terms=Terms(
        licence="NVIDIA Source Code License for StyleGAN2-ADA",
        text="https://nvlabs.github.io/stylegan2-ada-pytorch/license.html",
        non_commercial=True,
        why=f"{_RESEARCH_ONLY}; {_FFHQ}",
        citations=(
            "Karras et al.: Training Generative Adversarial Networks with Limited Data, NeurIPS 2020",
            _STYLEGAN2,
            _STYLEGAN,
        ),
    ),
    address="https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/ffhq.pkl",
    size=381_624_121,
    sha256="a205a346e86a9ddaae702e118097d014b7b8bd719491396a162cca438f2f524c",
    hash_note="written down alike by several projects; NVIDIA publishes none",
)

STYLEGAN2 = PublicFile(
    name="stylegan2-ffhq",
    file_name="stylegan2-ffhq-config-f.pkl",
    what="Generator of faces, 1024 pixels, with its discriminator (NVIDIA, TensorFlow)",
    part=Part.PHOTO,
    page="https://github.com/NVlabs/stylegan2",
    terms=STYLEGAN2_TERMS,
    address="https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks/stylegan2-ffhq-config-f.pkl",
    size=381_673_535,
    sha256="adf127ea7bb8a7788c8bdeda3c9937f7310b669b09ecf799ca53a631ff46948d",
    hash_note="written down alike by two projects; NVIDIA publishes none",
)

ROSINALITY = PublicFile(
    name="rosinality-ffhq",
    file_name="stylegan2-ffhq-config-f.pt",
    what="The same generator as stylegan2-ffhq, converted for rosinality's PyTorch code",
    part=Part.PHOTO,
    page="https://drive.google.com/file/d/1EM87UquaoQmk17Q8d5kYIAHqu0dkYqdT/view",
    terms=STYLEGAN2_TERMS,
    size=381_462_551,
    sha256="bae494ef77e32a9cd1792a81a3c167692a0e64f6bcd8b06592ff42917e2ed46e",
    hash_note="one person's record, not checked against another; other conversions have other hashes",
)

E4E = PublicFile(
    name="e4e-ffhq",
    file_name="e4e_ffhq_encode.pt",
    what="Encoder of faces for stylegan2-ffhq (Tov et al.), with that generator in it",
    part=Part.ENCODER,
    page="https://drive.google.com/file/d/1cUv_reLE6k3604or78EranS7XzuVMWeO/view",
    terms=Terms(
        licence="MIT; Nvidia Source Code License-NC",
        text="https://github.com/omertov/encoder4editing/blob/main/LICENSE",
        non_commercial=True,
        why=f"it was trained against NVIDIA's generator, of which it holds a copy (only the encoder is MIT); {_FFHQ}",
        citations=(
            "Tov et al.: Designing an Encoder for StyleGAN Image Manipulation, SIGGRAPH 2021 (arXiv 2102.02766)",
            _STYLEGAN2,
            _STYLEGAN,
        ),
    ),
    address="https://huggingface.co/AIRI-Institute/HairFastGAN/resolve/main/"
    "pretrained_models/encoder4editing/e4e_ffhq_encode.pt",
    address_note="a copy kept by another project (HairFastGAN), not tried by us; its authors use Google Drive alone",
    size=1_201_649_680,
    sha256="2ace1d9a8c05c10a399bcd500b8dda118f759ff1aac89dbdab7435f2136a0999",
    hash_note="written down alike by two projects, one of them of the authors' own file",
)

ARCFACE = PublicFile(
    name="arcface-ir-se50",
    file_name="model_ir_se50.pth",
    what="Face recogniser ArcFace, IR-SE50, to tell how well a result keeps its identity",
    part=Part.IDENTITY,
    page="https://github.com/TreB1eN/InsightFace_Pytorch",
    terms=Terms(
        licence="MIT",
        text="https://github.com/TreB1eN/InsightFace_Pytorch/blob/master/LICENSE",
        non_commercial=True,
        why="InsightFace says of its data, from which it was trained, and of models trained with them: "
        "“available for non-commercial research purposes only”",
        citations=(
            "Deng et al.: ArcFace: Additive Angular Margin Loss for Deep Face Recognition, CVPR 2019",
            "Guo et al.: MS-Celeb-1M: A Dataset and Benchmark for Large-Scale Face Recognition, ECCV 2016",
        ),
    ),
    address="https://github.com/xinntao/facexlib/releases/download/v0.1.0/recognition_arcface_ir_se50.pth",
    address_note="a copy kept by facexlib under another name; its author offers the file on OneDrive and Baidu alone",
    size=175_367_323,
    sha256="a035c768259b98ab1ce0e646312f48b9e1e218197a0f80ac6765e88f8b6ddf28",
    hash_note="written down alike by several projects, of both names",
)

FILES = (STYLEGAN2, STYLEGAN2_ADA, ROSINALITY, E4E, ARCFACE)

# The TensorFlow file and not the newer one: e4e was trained against a conversion of exactly these weights.
SETS = (
    PublicSet("ffhq", "Photographs of faces, 1024 pixels: generator, encoder, recogniser", (STYLEGAN2, E4E, ARCFACE)),
)


def find_published(name: str) -> PublicFile | PublicSet:
    """The file or the set of that name.

    Raises:
        LifelikeError: UNKNOWN_BUNDLE, naming what there is.
    """
    known = {entry.name: entry for entry in (*SETS, *FILES)}
    if name not in known:
        raise LifelikeError(
            ErrorCode.UNKNOWN_BUNDLE,
            f"There is nothing called {name!r} to download.",
            f"Choose one of: {', '.join(known)}.",
        )
    return known[name]


def published_as(sha256: str) -> PublicFile | None:
    """The entry of the file with that hash, wherever it came from and whatever it is called."""
    return next((file for file in FILES if file.sha256 and file.sha256 == sha256.lower()), None)
