"""The device code of the Triton implementations. Importing this module imports Triton.

Every tensor is seen as `(N, g, C / g, H, W)` through its strides, a filter as `(g, K / g, C / g, R,
S)`: memory formats, slices, the transposed filter of an input gradient and a channel shuffle differ
in strides only. Offsets are of the type `OFFSET`, 64-bit where a tensor is too large for 32, which
take half the registers.

A tile holds some pixels and some channels of one *pack*, that is of so many neighbouring groups.
Where the groups are narrower than the 16 that tensor cores want, a pack of several fills the tile,
and its filter is a block diagonal of theirs. In contiguous tensors neighbouring pixels lie next to
each other, in channels_last neighbouring channels: the last dimension of a tile is the one that
does, so that its loads are coalesced.

`convolve` and `differentiate` (in `triton_gradient_kernels`) have two forms each. As products
(`DOT`) a tile of pixels and a tile of the filter are multiplied on tensor cores. As sums, each
output channel is a sum over taps and its own group's input channels, elementwise: nothing is
padded, and nothing of another group is read. Both sum in `ACCUMULATOR`.
"""

import triton
import triton.language as tl

__all__ = ["convolve", "factor", "members", "offsets"]


@triton.jit
def members(
    first, index, GROUPS: tl.constexpr, SIZE: tl.constexpr, PACK: tl.constexpr, LAID: tl.constexpr,
):  # fmt: skip
    """Of channels of a pack: group, place in it, and whether there is one.

    They are counted group by group, or, where neighbours in memory are of different groups (`LAID`
    is "mixed"), place by place. Only the last pack may lack groups; where it does not, masks are
    wide enough for wide loads.
    """
    if PACK == 1:
        group = first + index * 0
        local = index
    elif LAID == "mixed":
        group = first + index % PACK
        local = index // PACK
    else:
        group = first + index // SIZE
        local = index % SIZE
    is_one = index < PACK * SIZE
    if GROUPS % PACK:
        is_one = is_one & (group < GROUPS)
    return group, local, is_one


@triton.jit
def offsets(
    group, local, index, first, group_step, step, SIZE: tl.constexpr, LAID: tl.constexpr,
    OFFSET: tl.constexpr,
):  # fmt: skip
    """Where channels lie; "even" ones are all equally far apart, which lets loads be wide."""
    if LAID == "even":
        offset = (first * SIZE + index).to(OFFSET) * step
    else:
        offset = group.to(OFFSET) * group_step + local.to(OFFSET) * step
    return offset


@triton.jit
def factor(tile, PRECISION: tl.constexpr):
    """A tile as a factor of `tl.dot`.

    Tensor cores cut float32 down to TF32's 11 significand bits, which would bias sums; rounded to
    the nearest before, they have nothing to cut. NaN must not be rounded into a number.
    """
    if PRECISION == "tf32":
        rounded = ((tile.to(tl.int32, bitcast=True) + 4096) & -8192).to(tl.float32, bitcast=True)
        tile = tl.where(tile == tile, rounded, tile)
    return tile


@triton.jit
def convolve(
    x, weight, bias, y, pixels, rows, columns, height, width, x_n, x_g, x_c, x_h, x_w, w_g, w_k,
    w_c, w_r, w_s, y_n, y_g, y_k, y_h, y_w, b_k, GROUPS: tl.constexpr, IN: tl.constexpr,
    OUT: tl.constexpr, KERNEL_H: tl.constexpr, KERNEL_W: tl.constexpr, STEP_H: tl.constexpr,
    STEP_W: tl.constexpr, TAP_H: tl.constexpr, TAP_W: tl.constexpr, START_H: tl.constexpr,
    START_W: tl.constexpr, PHASES_H: tl.constexpr, PHASES_W: tl.constexpr, HAS_BIAS: tl.constexpr,
    CHANNELS_LAST: tl.constexpr, LAID_IN: tl.constexpr, LAID_OUT: tl.constexpr, DOT: tl.constexpr,
    PRECISION: tl.constexpr, ACCUMULATOR: tl.constexpr, OFFSET: tl.constexpr, PACK: tl.constexpr,
    BLOCK_PIXELS: tl.constexpr, BLOCK_IN: tl.constexpr, BLOCK_OUT: tl.constexpr,
):  # fmt: skip
    """One tile of y, `(N, g, OUT, rows, columns)`, gathered from x, `(N, g, IN, height, width)`.

    Tap (r, s) of pixel (p, q) reads x at (p STEP + r TAP + START) / PHASES where that is whole and
    within x, and zero elsewhere: a convolution with PHASES 1, its transpose with STEP 1. Tiles of
    the same pixels run next to each other and find x in the cache.
    """
    TILES: tl.constexpr = (PACK * OUT + BLOCK_OUT - 1) // BLOCK_OUT
    ALL_TILES: tl.constexpr = (GROUPS + PACK - 1) // PACK * TILES
    tile = tl.program_id(0) % ALL_TILES
    first = tile // TILES * PACK
    out = tile % TILES * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    out_group, out_local, is_out = members(first, out, GROUPS, OUT, PACK, LAID_OUT)
    w_out = out_group.to(OFFSET) * w_g + out_local.to(OFFSET) * w_k

    pixel = tl.program_id(0) // ALL_TILES * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
    is_pixel = pixel < pixels
    image = (pixel // (rows * columns)).to(OFFSET)
    p = pixel // columns % rows
    q = pixel % columns
    image_offset = image * x_n

    if CHANNELS_LAST:
        total = tl.zeros((BLOCK_PIXELS, BLOCK_OUT), ACCUMULATOR)
    else:
        total = tl.zeros((BLOCK_OUT, BLOCK_PIXELS), ACCUMULATOR)
    CHUNKS: tl.constexpr = (PACK * IN + BLOCK_IN - 1) // BLOCK_IN if DOT else IN
    for step in range(KERNEL_H * KERNEL_W * CHUNKS):
        chunk = step % CHUNKS
        r = step // CHUNKS // KERNEL_W
        s = step // CHUNKS % KERNEL_W
        h = p * STEP_H + (r * TAP_H + START_H)
        w = q * STEP_W + (s * TAP_W + START_W)
        is_there = is_pixel & (h >= 0) & (w >= 0)
        if PHASES_H > 1:
            is_there = is_there & (h % PHASES_H == 0)
            h = h // PHASES_H
        if PHASES_W > 1:
            is_there = is_there & (w % PHASES_W == 0)
            w = w // PHASES_W
        is_there = is_there & (h < height) & (w < width)
        source = image_offset + h.to(OFFSET) * x_h + w.to(OFFSET) * x_w
        tap = weight + (r * w_r + s * w_s)
        if DOT:
            index = chunk * BLOCK_IN + tl.arange(0, BLOCK_IN)
            group, local, is_in = members(first, index, GROUPS, IN, PACK, LAID_IN)
            channel = offsets(group, local, index, first, x_g, x_c, IN, LAID_IN, OFFSET)
            w_in = local.to(OFFSET) * w_c
            if CHANNELS_LAST:
                read = is_there[:, None] & is_in[None, :]
                inputs = tl.load(x + (source[:, None] + channel[None, :]), mask=read, other=0.0)
                read = (group[:, None] == out_group[None, :]) & is_in[:, None] & is_out[None, :]
                filters = tl.load(tap + (w_in[:, None] + w_out[None, :]), mask=read, other=0.0)
                left, right = inputs, filters
            else:
                read = is_in[:, None] & is_there[None, :]
                inputs = tl.load(x + (source[None, :] + channel[:, None]), mask=read, other=0.0)
                read = (out_group[:, None] == group[None, :]) & is_out[:, None] & is_in[None, :]
                filters = tl.load(tap + (w_out[:, None] + w_in[None, :]), mask=read, other=0.0)
                left, right = filters, inputs
            left = factor(left, PRECISION)
            right = factor(right, PRECISION)
            total = tl.dot(left, right, total, input_precision=PRECISION)
        else:
            channel = out_group.to(OFFSET) * x_g + chunk * x_c
            filters = tl.load(tap + w_out + chunk * w_c, mask=is_out, other=0.0).to(ACCUMULATOR)
            if CHANNELS_LAST:
                read = is_there[:, None] & is_out[None, :]
                inputs = tl.load(x + (source[:, None] + channel[None, :]), mask=read, other=0.0)
                total += inputs.to(ACCUMULATOR) * filters[None, :]
            else:
                read = is_out[:, None] & is_there[None, :]
                inputs = tl.load(x + (source[None, :] + channel[:, None]), mask=read, other=0.0)
                total += inputs.to(ACCUMULATOR) * filters[:, None]

    channel = offsets(out_group, out_local, out, first, y_g, y_k, OUT, LAID_OUT, OFFSET)
    target = image * y_n + p.to(OFFSET) * y_h + q.to(OFFSET) * y_w
    offset = tl.zeros((BLOCK_OUT,), ACCUMULATOR)
    if HAS_BIAS:
        number = out_group * OUT + out_local
        offset = tl.load(bias + number * b_k, mask=is_out, other=0.0).to(ACCUMULATOR)
    if CHANNELS_LAST:
        total = (total + offset[None, :]).to(y.dtype.element_ty)
        written = is_pixel[:, None] & is_out[None, :]
        tl.store(y + (target[:, None] + channel[None, :]), total, mask=written)
    else:
        total = (total + offset[:, None]).to(y.dtype.element_ty)
        written = is_out[:, None] & is_pixel[None, :]
        tl.store(y + (target[None, :] + channel[:, None]), total, mask=written)
