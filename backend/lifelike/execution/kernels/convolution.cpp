// SPDX-License-Identifier: GPL-3.0-or-later
// 3×3 convolution in one pass over the activations.
//
// Strips of tiles are independent jobs. A strip is transformed, multiplied and transformed back within the caches.
#include "convolution.hpp"

#include <algorithm>

#include "axes.hpp"
#include "product.hpp"

namespace {

// Outputs that are multiplied together: as many vectors as the registers hold and the outputs divide into.
int panel_of(int outputs) {
    int vectors = COLUMNS;
    while (outputs % (LANES * vectors)) vectors--;
    return LANES * vectors;
}

// Distance between two points' matrices: not a multiple of a page, which would fall on the same lines of the cache.
template <class Number>
size_t input_stride(int tiles, int inputs) { return size_t(tiles) * inputs + 64 / sizeof(Number); }
size_t sum_stride(int tiles, int panel) { return size_t(tiles) * panel + LANES; }

// Samples along an axis before anything is done to the sums.
int results_of(int32_t change, int side) {
    return change == SAME ? side : change == DOUBLED ? 2 * side + 1 : (side + 1) / 2;
}

template <class Axis>
struct Grid {
    static constexpr int POINTS = Axis::POINTS * Axis::POINTS, WEIGHTS = Axis::WEIGHTS * Axis::WEIGHTS;
    const int height, width, across, all;  // of the results; tiles in a row and altogether

    explicit Grid(const Convolution& c)
        : height(results_of(c.change, c.height)), width(results_of(c.change, c.width)),
          across((width + Axis::RESULTS - 1) / Axis::RESULTS),
          all(across * ((height + Axis::RESULTS - 1) / Axis::RESULTS)) {}
};

// A tile's samples; around the picture there are zeros.
template <class Number, class Axis>
void load_patch(const Convolution& c, const Grid<Axis>& grid, int tile, int channel, Vector* d) {
    constexpr int SIDE = Axis::SAMPLES;
    const int y0 = tile / grid.across * Axis::STEP - 1, x0 = tile % grid.across * Axis::STEP - 1;
    const bool inner = y0 >= 0 && x0 >= 0 && y0 + SIDE <= c.height && x0 + SIDE <= c.width;
    const Number* x = static_cast<const Number*>(c.x) + channel;
    const Vector scale = load(c.scale + channel), shift = c.shift ? load(c.shift + channel) : Vector{};
    for (int r = 0; r < SIDE; r++)
        for (int q = 0; q < SIDE; q++) {
            const bool inside = inner || (unsigned(y0 + r) < unsigned(c.height) && unsigned(x0 + q) < unsigned(c.width));
            const ptrdiff_t pixel = ptrdiff_t(y0 + r) * c.width + x0 + q;
            d[r * SIDE + q] = inside ? load(x + pixel * c.inputs) * scale + shift : Vector{};
        }
}

// A strip's inputs at the points: v[point][tile][input].
template <class Number, class Axis>
void transform_inputs(const Convolution& c, const Grid<Axis>& grid, int first, int count, Number* v, size_t stride) {
    constexpr int SIDE = Axis::SAMPLES, P = Axis::POINTS;
    for (int tile = 0; tile < count; tile++)
        for (int channel = 0; channel < c.inputs; channel += LANES) {
            Vector d[SIDE * SIDE], h[P * SIDE], points[P * P];
            load_patch<Number>(c, grid, first + tile, channel, d);
            for (int q = 0; q < SIDE; q++) Axis::to_points(d + q, h + q, SIDE, SIDE);
            for (int r = 0; r < P; r++) Axis::to_points(h + r * SIDE, points + r * P, 1, 1);
            for (int p = 0; p < P * P; p++) store(v + p * stride + size_t(tile) * c.inputs + channel, points[p]);
        }
}

// One panel of a strip's products: m[point][tile][output]. The points past the last weight along an axis share it.
template <class Number, class Axis>
void multiply_panel(const Convolution& c, int count, const Number* v, size_t of_inputs, const Number* w, int panel,
                    float* m, size_t of_sums) {
    constexpr int P = Axis::POINTS, W = Axis::WEIGHTS;
    for (int i = 0; i < W; i++)
        for (int j = 0; j < W; j++, w += size_t(c.inputs) * panel)
            for (int r = i; r < (i + 1 < W ? i + 1 : P); r++)
                for (int q = j; q < (j + 1 < W ? j + 1 : P); q++) {
                    const int k = r * P + q;
                    multiply_rows(v + k * of_inputs, count, c.inputs, w, panel / LANES, m + k * of_sums);
                }
}

// The results of a panel that begins with `channel`: finished, or as they are where a blur is to come.
template <class Number, class Axis>
void transform_outputs(const Convolution& c, const Grid<Axis>& grid, int first, int count, const float* m,
                       size_t stride, int channel, int panel) {
    constexpr int P = Axis::POINTS, SIDE = Axis::RESULTS;
    for (int tile = first; tile < first + count; tile++, m += panel) {
        const int y0 = tile / grid.across * SIDE, x0 = tile % grid.across * SIDE;
        const int rows = std::min(SIDE, grid.height - y0), columns = std::min(SIDE, grid.width - x0);
        for (int j = 0; j < panel; j += LANES) {
            Vector points[P * P], h[SIDE * P], y[SIDE * SIDE];
            for (int p = 0; p < P * P; p++) points[p] = load(m + p * stride + j);
            for (int q = 0; q < P; q++) Axis::from_points(points + q, h + q, P, P);
            for (int r = 0; r < SIDE; r++) Axis::from_points(h + r * P, y + r * SIDE, 1, 1);
            const Finish<Number> finish(c, channel + j);
            for (int r = 0; r < rows; r++)
                for (int q = 0; q < columns; q++) {
                    const size_t pixel = size_t(y0 + r) * grid.width + x0 + q;
                    if constexpr (Axis::RESULTS == Doubled::RESULTS)
                        store(static_cast<Number*>(c.z) + pixel * c.outputs + channel + j, y[r * SIDE + q]);
                    else
                        finish(y[r * SIDE + q], pixel);
                }
        }
    }
}

template <class Number, class Axis>
void work(const Convolution& c, char* scratch) {
    const Grid<Axis> grid(c);
    const int strips = (grid.all + c.tiles - 1) / c.tiles, panel = panel_of(c.outputs), panels = c.outputs / panel;
    const size_t of_inputs = input_stride<Number>(c.tiles, c.inputs), of_sums = sum_stride(c.tiles, panel);
    Number* v = reinterpret_cast<Number*>(scratch);
    float* m = reinterpret_cast<float*>(v + grid.POINTS * of_inputs);
    for (int job; (job = c.next->fetch_add(1)) < strips * c.groups;) {
        const int first = job / c.groups * c.tiles, count = std::min(c.tiles, grid.all - first), group = job % c.groups;
        transform_inputs<Number>(c, grid, first, count, v, of_inputs);
        for (int p = panels * group / c.groups; p < panels * (group + 1) / c.groups; p++) {
            const Number* w = static_cast<const Number*>(c.weight) + size_t(p) * grid.WEIGHTS * c.inputs * panel;
            multiply_panel<Number, Axis>(c, count, v, of_inputs, w, panel, m, of_sums);
            transform_outputs<Number>(c, grid, first, count, m, of_sums, p * panel, panel);
        }
    }
}

template <class Number>
void work(const Convolution& c, char* scratch) {
    if (c.change == SAME) work<Number, Same>(c, scratch);
    else if (c.change == DOUBLED) work<Number, Doubled>(c, scratch);
    else work<Number, Halved>(c, scratch);
}

// The weights of the inputs at `w` and after it at the points, for one vector of outputs; w: [9][inputs][outputs].
template <class Axis>
void weight_points(const float* w, int inputs, int outputs, Vector* u) {
    constexpr int W = Axis::WEIGHTS;
    Vector taps[9], h[3 * W];
    for (int tap = 0; tap < 9; tap++) taps[tap] = load(w + size_t(tap) * inputs * outputs);
    for (int q = 0; q < 3; q++) Axis::weight_to_points(taps + q, h + q, 3, 3);
    for (int r = 0; r < W; r++) Axis::weight_to_points(h + r * 3, u + r * W, 1, 1);
}

template <class Axis>
void pack(const float* weight, int inputs, int outputs, bool half, void* packed) {
    constexpr int WEIGHTS = Axis::WEIGHTS * Axis::WEIGHTS;
    const int panel = panel_of(outputs);
    for (int i = 0; i < inputs; i += 2)
        for (int o = 0; o < outputs; o += LANES) {
            Vector first[WEIGHTS], second[WEIGHTS];
            weight_points<Axis>(weight + size_t(i) * outputs + o, inputs, outputs, first);
            weight_points<Axis>(weight + size_t(i + 1) * outputs + o, inputs, outputs, second);
            for (int p = 0; p < WEIGHTS; p++) {
                const size_t at = (size_t(o / panel) * WEIGHTS + p) * inputs * panel + size_t(i) * panel;
                if (half) {
                    const Bits both = (rounded(first[p]) >> 16) | rounded(second[p]);
                    uint16_t* to = static_cast<uint16_t*>(packed) + at + 2 * (o % panel);
                    *reinterpret_cast<UnalignedBits*>(to) = both;
                } else {
                    store(static_cast<float*>(packed) + at + o % panel, first[p]);
                    store(static_cast<float*>(packed) + at + panel + o % panel, second[p]);
                }
            }
        }
}

}  // namespace

extern "C" {

int32_t vector_lanes() { return LANES; }

int32_t multiplies_bfloat16() {
#if defined(__AVX512BF16__)
    return 1;
#else
    return 0;
#endif
}

// Bytes that each thread needs besides its stack.
size_t scratch_bytes(const Convolution* c) {
    const size_t inputs = c->half ? 2 * input_stride<BFloat16>(c->tiles, c->inputs)
                                  : 4 * input_stride<float>(c->tiles, c->inputs);
    const size_t points = c->change == SAME ? Same::POINTS : Strided::POINTS;
    return points * points * (inputs + 4 * sum_stride(c->tiles, panel_of(c->outputs)));
}

// Matrices of weights that pack_weight makes of the nine taps.
int32_t packed_matrices(int32_t change) {
    const int along = change == SAME ? Same::WEIGHTS : Strided::WEIGHTS;
    return along * along;
}

// weight: [9][inputs][outputs] → packed: [panel][point][input][output of the panel], two inputs side by side in bf16.
// A transposed convolution's taps are those of the convolution, turned about.
void pack_weight(const float* weight, int32_t inputs, int32_t outputs, int32_t change, int32_t half, void* packed) {
    if (change == SAME) pack<Same>(weight, inputs, outputs, half, packed);
    else pack<Strided>(weight, inputs, outputs, half, packed);
}

// Does jobs until none is left; called by every thread with its own scratch.
void convolve(const Convolution* c, char* scratch) {
#if defined(__AVX512BF16__)
    if (c->half) return work<BFloat16>(*c, scratch);
#endif
    work<float>(*c, scratch);
}
}
