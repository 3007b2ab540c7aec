"""Array types with shapes: jaxtyping where it is installed (development), plain `Tensor` where it is not (artists)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Int8, UInt8
else:
    try:
        from jaxtyping import Bool, Float, Int, Int8, UInt8
    except ImportError:

        class _Shape:
            """`Float[Tensor, "b n d"]` reads as `Tensor`."""

            def __class_getitem__(cls, item: tuple[Any, str]) -> Any:
                return item[0]

        Bool = Float = Int = Int8 = UInt8 = _Shape

__all__ = ["Bool", "Float", "Int", "Int8", "UInt8"]
