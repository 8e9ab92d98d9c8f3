"""The device code for gradients of filter and bias; see `triton_kernels`. Imports Triton."""

import triton
import triton.language as tl

from gconvbench.implementations.triton_kernels import factor, members, offsets

__all__ = ["add_parts", "differentiate"]


@triton.jit
def differentiate(
    x, dy, parts, pixels, rows, columns, height, width, x_n, x_g, x_c, x_h, x_w, y_n, y_g, y_k, y_h,
    y_w, w_g, w_k, w_c, w_r, w_s, weights, part, blocks, GROUPS: tl.constexpr, IN: tl.constexpr,
    OUT: tl.constexpr, KERNEL_H: tl.constexpr, KERNEL_W: tl.constexpr, STEP_H: tl.constexpr,
    STEP_W: tl.constexpr, TAP_H: tl.constexpr, TAP_W: tl.constexpr, START_H: tl.constexpr,
    START_W: tl.constexpr, HAS_BIAS: tl.constexpr, CHANNELS_LAST: tl.constexpr,
    LAID_IN: tl.constexpr, LAID_OUT: tl.constexpr, DOT: tl.constexpr, PRECISION: tl.constexpr,
    ACCUMULATOR: tl.constexpr, OFFSET: tl.constexpr, PACK: tl.constexpr, BLOCK_PIXELS: tl.constexpr,
    BLOCK_TAPS: tl.constexpr, BLOCK_IN: tl.constexpr, BLOCK_OUT: tl.constexpr,
):  # fmt: skip
    """One tile of the filter's gradient, summed over `blocks` blocks of pixels, into one part.

    Several taps of a block of x are read against one block of dy. A part holds all weights, with
    the strides `w_`, and from `weights` on the bias's gradient; parts are `part` apart. As sums,
    `BLOCK_IN` is 1, and a tile has one input channel of each of its output channels' groups.
    """
    TAPS: tl.constexpr = KERNEL_H * KERNEL_W
    OUT_TILES: tl.constexpr = (PACK * OUT + BLOCK_OUT - 1) // BLOCK_OUT
    IN_TILES: tl.constexpr = (PACK * IN + BLOCK_IN - 1) // BLOCK_IN if DOT else IN
    TAP_TILES: tl.constexpr = (TAPS + BLOCK_TAPS - 1) // BLOCK_TAPS
    ALL_TILES: tl.constexpr = (GROUPS + PACK - 1) // PACK * OUT_TILES * IN_TILES * TAP_TILES
    tile = tl.program_id(0) % ALL_TILES
    split = tl.program_id(0) // ALL_TILES
    taps = tile % TAP_TILES * BLOCK_TAPS + tl.arange(0, BLOCK_TAPS)
    in_tile = tile // TAP_TILES % IN_TILES
    out = tile // TAP_TILES // IN_TILES % OUT_TILES * BLOCK_OUT + tl.arange(0, BLOCK_OUT)
    first = tile // TAP_TILES // IN_TILES // OUT_TILES * PACK
    out_group, out_local, is_out = members(first, out, GROUPS, OUT, PACK, LAID_OUT)
    y_channel = offsets(out_group, out_local, out, first, y_g, y_k, OUT, LAID_OUT, OFFSET)
    if DOT:
        index = in_tile * BLOCK_IN + tl.arange(0, BLOCK_IN)
        in_group, in_local, is_in = members(first, index, GROUPS, IN, PACK, LAID_IN)
        x_channel = offsets(in_group, in_local, index, first, x_g, x_c, IN, LAID_IN, OFFSET)
        total = tl.zeros((BLOCK_OUT, BLOCK_TAPS * BLOCK_IN), ACCUMULATOR)
    else:
        is_in = is_out
        x_channel = out_group.to(OFFSET) * x_g + in_tile * x_c
        if CHANNELS_LAST:
            total = tl.zeros((BLOCK_PIXELS, BLOCK_TAPS, BLOCK_OUT), ACCUMULATOR)
        else:
            total = tl.zeros((BLOCK_TAPS, BLOCK_OUT, BLOCK_PIXELS), ACCUMULATOR)
    if CHANNELS_LAST:
        of_bias = tl.zeros((BLOCK_PIXELS, BLOCK_OUT), ACCUMULATOR)
    else:
        of_bias = tl.zeros((BLOCK_OUT, BLOCK_PIXELS), ACCUMULATOR)
    down = taps // KERNEL_W * TAP_H + START_H
    right = taps % KERNEL_W * TAP_W + START_W

    for block in range(blocks):
        pixel = (split * blocks + block) * BLOCK_PIXELS + tl.arange(0, BLOCK_PIXELS)
        is_pixel = pixel < pixels
        image = (pixel // (rows * columns)).to(OFFSET)
        p = pixel // columns % rows
        q = pixel % columns
        y_pixel = image * y_n + p.to(OFFSET) * y_h + q.to(OFFSET) * y_w
        if CHANNELS_LAST:
            read = is_pixel[:, None] & is_out[None, :]
            gradient = tl.load(dy + (y_pixel[:, None] + y_channel[None, :]), mask=read, other=0.0)
            h = (p * STEP_H)[:, None] + down[None, :]
            w = (q * STEP_W)[:, None] + right[None, :]
            is_there = is_pixel[:, None] & (taps < TAPS)[None, :]
            images = (image * x_n)[:, None]
        else:
            read = is_out[:, None] & is_pixel[None, :]
            gradient = tl.load(dy + (y_pixel[None, :] + y_channel[:, None]), mask=read, other=0.0)
            h = down[:, None] + (p * STEP_H)[None, :]
            w = right[:, None] + (q * STEP_W)[None, :]
            is_there = (taps < TAPS)[:, None] & is_pixel[None, :]
            images = (image * x_n)[None, :]
        is_there = is_there & (h >= 0) & (h < height) & (w >= 0) & (w < width)
        source = images + h.to(OFFSET) * x_h + w.to(OFFSET) * x_w
        if HAS_BIAS:
            of_bias += gradient.to(ACCUMULATOR)
        if CHANNELS_LAST:
            read = is_there[:, :, None] & is_in[None, None, :]
            inputs = tl.load(
                x + (source[:, :, None] + x_channel[None, None, :]), mask=read, other=0.0
            )
        else:
            read = is_there[:, None, :] & is_in[None, :, None]
            inputs = tl.load(
                x + (source[:, None, :] + x_channel[None, :, None]), mask=read, other=0.0
            )
        if DOT:
            if CHANNELS_LAST:
                gradient = tl.trans(gradient)
                inputs = tl.reshape(inputs, (BLOCK_PIXELS, BLOCK_TAPS * BLOCK_IN))
            else:
                inputs = tl.trans(tl.reshape(inputs, (BLOCK_TAPS * BLOCK_IN, BLOCK_PIXELS)))
            gradient = factor(gradient, PRECISION)
            inputs = factor(inputs, PRECISION)
            total = tl.dot(gradient, inputs, total, input_precision=PRECISION)
        elif CHANNELS_LAST:
            total += inputs.to(ACCUMULATOR) * gradient.to(ACCUMULATOR)[:, None, :]
        else:
            total += inputs.to(ACCUMULATOR) * gradient.to(ACCUMULATOR)[None, :, :]

    target = parts + split.to(tl.int64) * part
    w_out = out_group.to(OFFSET) * w_g + out_local.to(OFFSET) * w_k
    if DOT:
        column = tl.arange(0, BLOCK_TAPS * BLOCK_IN)
        tap = tile % TAP_TILES * BLOCK_TAPS + column // BLOCK_IN
        index = in_tile * BLOCK_IN + column % BLOCK_IN
        group, local, is_one = members(first, index, GROUPS, IN, PACK, LAID_IN)
        to = w_out[:, None] + (tap // KERNEL_W * w_r + tap % KERNEL_W * w_s + local * w_c)[None, :]
        written = is_out[:, None] & (is_one & (tap < TAPS))[None, :]
        written = written & (out_group[:, None] == group[None, :])
    else:
        total = tl.sum(total, axis=0 if CHANNELS_LAST else 2)
        offset = taps // KERNEL_W * w_r + taps % KERNEL_W * w_s + in_tile * w_c
        to = offset[:, None] + w_out[None, :]
        written = (taps < TAPS)[:, None] & is_out[None, :]
    tl.store(target + to, total, mask=written)
    if HAS_BIAS:
        if tile % (TAP_TILES * IN_TILES) == 0:  # all tiles of these channels have the same sums
            sums = tl.sum(of_bias, axis=0 if CHANNELS_LAST else 1)
            number = out_group * OUT + out_local
            tl.store(target + weights + number, sums, mask=is_out)


@triton.jit
def add_parts(
    parts, dw, db, weights, part, count, ACCUMULATOR: tl.constexpr, ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """The sum of `count` parts, rounded once: the weights' into dw, what follows them into db."""
    column = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    row = tl.arange(0, ROWS)
    total = tl.zeros((BLOCK,), ACCUMULATOR)
    for start in range(0, count, ROWS):
        places = (start + row).to(tl.int64)[:, None] * part + column[None, :]
        read = (start + row < count)[:, None] & (column < part)[None, :]
        total += tl.sum(tl.load(parts + places, mask=read, other=0.0), axis=0)
    total = total.to(dw.dtype.element_ty)
    tl.store(dw + column, total, mask=column < weights)
    tl.store(db + (column - weights), total, mask=(column >= weights) & (column < part))
