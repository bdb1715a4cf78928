// SPDX-License-Identifier: GPL-3.0-or-later
// 3×3 convolution with all that StyleGAN2 does before and after it, in one pass over the activations.
//
// Winograd's minimal filtering F(4×4, 3×3) (Lavin and Gray, arXiv 1509.09308): 36 products a channel pair for 16
// outputs, where 144 stood. The points are 0, ±√½, ±√2, ∞ instead of the usual 0, ±1, ±2, ∞: half the rounding error
// in bf16 (after Barabasz et al., arXiv 1803.10986). Doubling reads 4×4 inputs a tile and makes of them the 6×6 that
// bilinear up-sampling gives, which is what a transposed convolution and the blur behind it amount to.
//
// Strips of tiles are independent jobs. A strip is transformed, multiplied and transformed back within the caches.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "vectors.hpp"

extern "C" struct Convolution {
    int32_t inputs, outputs, height, width;  // channels; size of the output
    int32_t up, half;                        // whether it doubles; bf16 instead of fp32
    int32_t tiles, groups;                   // tiles in a strip; parts into which a strip's outputs are divided
    const void* x;                           // [height, width, inputs], or half as high and wide
    const void* weight;                      // from pack_weight
    const float* scale;                      // [inputs], multiplied onto x
    const float* shift;                      // [inputs], added to x inside the picture, or null
    const float* gain;                       // [outputs], multiplied onto the sums
    const float* bias;                       // [outputs]
    const float* slope;                      // [outputs], of the leaky ReLU
    const float* noise;                      // [height, width] or null
    const void* added;                       // [height, width, outputs] or null, added at the end
    void* y;                                 // [height, width, outputs]
    std::atomic<int32_t>* next;              // the next job, shared by all threads
};

namespace {

constexpr int POINTS = 36;
constexpr float A = 0.70710678f, B = 1.41421356f;  // A² = 1/2, B² = 2

// The matrices of one axis; `in` and `out` are the distances between neighbours. First Bᵀ:
inline void to_points(const Vector* d, Vector* v, int in, int out) {
    const Vector d0 = d[0], d1 = d[in], d2 = d[2 * in], d3 = d[3 * in], d4 = d[4 * in], d5 = d[5 * in];
    v[0] = d0 - 2.5f * d2 + d4;
    Vector even = d4 - 2.0f * d2, odd = A * d3 - 2.0f * A * d1;
    v[out] = even + odd;
    v[2 * out] = even - odd;
    even = d4 - 0.5f * d2, odd = B * d3 - 0.5f * B * d1;
    v[3 * out] = even + odd;
    v[4 * out] = even - odd;
    v[5 * out] = d1 - 2.5f * d3 + d5;
}

// Bᵀ of the six samples between and on four, doubled with the filter 1, 3, 3, 1.
inline void to_points_doubled(const Vector* d, Vector* v, int in, int out) {
    Vector q[4], u[6];
    for (int i = 0; i < 4; i++) q[i] = 0.25f * d[i * in];
    u[0] = 3.0f * q[0] + q[1];
    u[1] = 3.0f * q[1] + q[0];
    u[2] = 3.0f * q[1] + q[2];
    u[3] = 3.0f * q[2] + q[1];
    u[4] = 3.0f * q[2] + q[3];
    u[5] = 3.0f * q[3] + q[2];
    to_points(u, v, 1, out);
}

// Aᵀ
inline void from_points(const Vector* m, Vector* y, int in, int out) {
    const Vector a = m[in] + m[2 * in], b = m[3 * in] + m[4 * in];
    const Vector c = A * (m[in] - m[2 * in]), d = B * (m[3 * in] - m[4 * in]);
    y[0] = m[0] + a + b;
    y[out] = c + d;
    y[2 * out] = 0.5f * a + 2.0f * b;
    y[3 * out] = 0.5f * c + 2.0f * d + m[5 * in];
}

// G
inline void weight_to_points(const Vector* w, Vector* u, int in, int out) {
    const Vector w0 = w[0], w1 = w[in], w2 = w[2 * in];
    u[0] = w0;
    Vector even = (-2.0f / 3.0f) * w0 - (1.0f / 3.0f) * w2, odd = (-2.0f / 3.0f) * A * w1;
    u[out] = even + odd;
    u[2 * out] = even - odd;
    even = (1.0f / 6.0f) * w0 + (1.0f / 3.0f) * w2, odd = (1.0f / 6.0f) * B * w1;
    u[3 * out] = even + odd;
    u[4 * out] = even - odd;
    u[5 * out] = w2;
}

// Outputs that are multiplied together: as many vectors as the registers hold and the outputs divide into.
int panel_of(int outputs) {
    int panel = LANES * COLUMNS;
    while (outputs % panel) panel /= 2;
    return panel;
}

// Distance between two points' matrices: not a multiple of a page, which would fall on the same lines of the cache.
template <class Number>
size_t input_stride(int tiles, int inputs) { return size_t(tiles) * inputs + 64 / sizeof(Number); }
size_t sum_stride(int tiles, int panel) { return size_t(tiles) * panel + LANES; }

template <class Number>
void load_patch(const Convolution& c, int tile, int channel, Vector* d) {
    const int across = (c.width + 3) / 4, side = c.up ? 4 : 6, step = c.up ? 2 : 4;
    const int height = c.up ? c.height / 2 : c.height, width = c.up ? c.width / 2 : c.width;
    const int y0 = tile / across * step - 1, x0 = tile % across * step - 1;
    const bool inner = y0 >= 0 && x0 >= 0 && y0 + side <= height && x0 + side <= width;
    const Number* x = static_cast<const Number*>(c.x) + channel;
    const Vector scale = load(c.scale + channel), shift = c.shift ? load(c.shift + channel) : Vector{};
    for (int r = 0; r < side; r++)
        for (int q = 0; q < side; q++) {
            const bool inside = inner || (unsigned(y0 + r) < unsigned(height) && unsigned(x0 + q) < unsigned(width));
            const ptrdiff_t pixel = ptrdiff_t(y0 + r) * width + x0 + q;
            d[r * side + q] = inside ? load(x + pixel * c.inputs) * scale + shift : Vector{};
        }
}

// A strip's inputs at the points: v[point][tile][input].
template <class Number>
void transform_inputs(const Convolution& c, int first, int count, Number* v, size_t stride) {
    for (int tile = 0; tile < count; tile++)
        for (int channel = 0; channel < c.inputs; channel += LANES) {
            Vector d[36], h[36], points[POINTS];
            load_patch<Number>(c, first + tile, channel, d);
            if (c.up) {
                for (int q = 0; q < 4; q++) to_points_doubled(d + q, h + q, 4, 4);
                for (int r = 0; r < 6; r++) to_points_doubled(h + r * 4, points + r * 6, 1, 1);
            } else {
                for (int q = 0; q < 6; q++) to_points(d + q, h + q, 6, 6);
                for (int r = 0; r < 6; r++) to_points(h + r * 6, points + r * 6, 1, 1);
            }
            for (int p = 0; p < POINTS; p++) store(v + p * stride + size_t(tile) * c.inputs + channel, points[p]);
        }
}

// m[row][column] = Σ a[row][k] · w[k][column]: R rows and C vectors of columns, all in registers.
template <int R, int C>
void multiply(const float* a, int depth, const float* w, float* m) {
    Vector sums[R][C] = {};
    for (int k = 0; k < depth; k++) {
        Vector columns[C];
        for (int j = 0; j < C; j++) columns[j] = load(w + (size_t(k) * C + j) * LANES);
        for (int r = 0; r < R; r++) {
            const Vector value = Vector{} + a[size_t(r) * depth + k];
            for (int j = 0; j < C; j++) sums[r][j] += value * columns[j];
        }
    }
    for (int r = 0; r < R; r++)
        for (int j = 0; j < C; j++) store(m + (size_t(r) * C + j) * LANES, sums[r][j]);
}

#if defined(__AVX512BF16__)
// The same; the weights of two inputs lie side by side.
template <int R, int C>
void multiply(const BFloat16* a, int depth, const BFloat16* w, float* m) {
    __m512 sums[R][C] = {};
    for (int k = 0; k < depth; k += 2) {
        __m512bh columns[C];
        for (int j = 0; j < C; j++) columns[j] = (__m512bh)_mm512_loadu_si512(w + (size_t(k) * C + 2 * j) * LANES);
        for (int r = 0; r < R; r++) {
            int32_t two;
            std::memcpy(&two, a + size_t(r) * depth + k, 4);
            const __m512bh value = (__m512bh)_mm512_set1_epi32(two);
            for (int j = 0; j < C; j++) sums[r][j] = _mm512_dpbf16_ps(sums[r][j], value, columns[j]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int j = 0; j < C; j++) store(m + (size_t(r) * C + j) * LANES, (Vector)sums[r][j]);
}
#endif

template <class Number, int C>
void multiply_rows(const Number* a, int rows, int depth, const Number* w, float* m) {
    constexpr int R = C == COLUMNS ? ROWS : 2 * ROWS;
    int r = 0;
    for (; r + R <= rows; r += R) multiply<R, C>(a + size_t(r) * depth, depth, w, m + size_t(r) * C * LANES);
    for (; r + 4 <= rows; r += 4) multiply<4, C>(a + size_t(r) * depth, depth, w, m + size_t(r) * C * LANES);
    for (; r < rows; r++) multiply<1, C>(a + size_t(r) * depth, depth, w, m + size_t(r) * C * LANES);
}

// Gain, bias, noise, leaky ReLU and what is added, for the panel of outputs that begins with `channel`.
template <class Number>
void transform_outputs(const Convolution& c, int first, int count, const float* m, size_t stride, int channel, int panel) {
    const int across = (c.width + 3) / 4;
    const Number* added = static_cast<const Number*>(c.added);
    for (int tile = 0; tile < count; tile++) {
        const int y0 = (first + tile) / across * 4, x0 = (first + tile) % across * 4;
        const int rows = std::min(4, c.height - y0), columns = std::min(4, c.width - x0);
        for (int j = 0; j < panel; j += LANES) {
            Vector points[POINTS], h[24], y[16];
            for (int p = 0; p < POINTS; p++) points[p] = load(m + p * stride + size_t(tile) * panel + j);
            for (int q = 0; q < 6; q++) from_points(points + q, h + q, 6, 6);
            for (int r = 0; r < 4; r++) from_points(h + r * 6, y + r * 4, 1, 1);
            const Vector gain = load(c.gain + channel + j), bias = load(c.bias + channel + j);
            const Vector slope = load(c.slope + channel + j);
            for (int r = 0; r < rows; r++)
                for (int q = 0; q < columns; q++) {
                    const size_t pixel = size_t(y0 + r) * c.width + x0 + q, at = pixel * c.outputs + channel + j;
                    Vector value = y[r * 4 + q] * gain + bias;
                    if (c.noise) value += c.noise[pixel];
                    value = value > 0.0f ? value : value * slope;
                    if (added) value += load(added + at);
                    store(static_cast<Number*>(c.y) + at, value);
                }
        }
    }
}

template <class Number>
void work(const Convolution& c, char* scratch) {
    const int all = ((c.width + 3) / 4) * ((c.height + 3) / 4), strips = (all + c.tiles - 1) / c.tiles;
    const int panel = panel_of(c.outputs), panels = c.outputs / panel;
    const size_t of_inputs = input_stride<Number>(c.tiles, c.inputs), of_sums = sum_stride(c.tiles, panel);
    Number* v = reinterpret_cast<Number*>(scratch);
    float* m = reinterpret_cast<float*>(v + POINTS * of_inputs);
    for (int job; (job = c.next->fetch_add(1)) < strips * c.groups;) {
        const int first = job / c.groups * c.tiles, count = std::min(c.tiles, all - first), group = job % c.groups;
        transform_inputs<Number>(c, first, count, v, of_inputs);
        for (int p = panels * group / c.groups; p < panels * (group + 1) / c.groups; p++) {
            const Number* w = static_cast<const Number*>(c.weight) + size_t(p) * POINTS * c.inputs * panel;
            for (int k = 0; k < POINTS; k++, w += size_t(c.inputs) * panel) {
                const Number* a = v + k * of_inputs;
                if (panel == COLUMNS * LANES) multiply_rows<Number, COLUMNS>(a, count, c.inputs, w, m + k * of_sums);
                else if (panel == 2 * LANES) multiply_rows<Number, 2>(a, count, c.inputs, w, m + k * of_sums);
                else multiply_rows<Number, 1>(a, count, c.inputs, w, m + k * of_sums);
            }
            transform_outputs<Number>(c, first, count, m, of_sums, p * panel, panel);
        }
    }
}

// The weights of the inputs at `w` and after it at one point, for one vector of outputs; w: [9][inputs][outputs].
void weight_points(const float* w, int inputs, int outputs, Vector* u) {
    Vector taps[9], h[18];
    for (int tap = 0; tap < 9; tap++) taps[tap] = load(w + size_t(tap) * inputs * outputs);
    for (int q = 0; q < 3; q++) weight_to_points(taps + q, h + q, 3, 3);
    for (int r = 0; r < 6; r++) weight_to_points(h + r * 3, u + r * 6, 1, 1);
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
    return POINTS * (inputs + 4 * sum_stride(c->tiles, panel_of(c->outputs)));
}

// weight: [9][inputs][outputs] → packed: [panel][point][input][output of the panel], two inputs side by side in bf16.
void pack_weight(const float* weight, int32_t inputs, int32_t outputs, int32_t half, void* packed) {
    const int panel = panel_of(outputs);
    for (int i = 0; i < inputs; i += 2)
        for (int o = 0; o < outputs; o += LANES) {
            Vector first[POINTS], second[POINTS];
            weight_points(weight + size_t(i) * outputs + o, inputs, outputs, first);
            weight_points(weight + size_t(i + 1) * outputs + o, inputs, outputs, second);
            for (int p = 0; p < POINTS; p++) {
                const size_t at = (size_t(o / panel) * POINTS + p) * inputs * panel + size_t(i) * panel;
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

// Does jobs until none is left; called by every thread with its own scratch.
void convolve(const Convolution* c, char* scratch) {
#if defined(__AVX512BF16__)
    if (c->half) return work<BFloat16>(*c, scratch);
#endif
    work<float>(*c, scratch);
}
}
