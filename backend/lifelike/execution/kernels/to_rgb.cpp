// SPDX-License-Identifier: GPL-3.0-or-later
// 1×1 convolution to red, green and blue, added to the doubled picture so far, in one pass.
#include <atomic>

#include "vectors.hpp"

extern "C" struct ToRGB {
    int32_t inputs, height, width, half;
    const void* x;               // [height, width, inputs]
    const float* weight;         // [3, inputs], the style multiplied in
    const float* bias;           // [3]
    const float* image;          // [3, height / 2, width / 2] or null
    float* y;                    // [3, height, width]
    std::atomic<int32_t>* next;  // the next row, shared by all threads
};

namespace {

// One row of the picture doubled with the filter 1, 3, 3, 1 along both axes, with zeros around it.
void add_doubled(const float* image, int height, int width, int row, float* y) {
    const int near = row / 2, far = near + (row % 2 ? 1 : -1);
    const float* close = image + size_t(near) * width;
    const bool inside = far >= 0 && far < height;
    const float* away = inside ? image + size_t(far) * width : close;
    const float share = inside ? 0.25f : 0.0f;
    float before = 0, here = 0.75f * close[0] + share * away[0];
    for (int i = 0; i < width; i++) {
        const float after = i + 1 < width ? 0.75f * close[i + 1] + share * away[i + 1] : 0.0f;
        y[2 * i] += 0.75f * here + 0.25f * before;
        y[2 * i + 1] += 0.75f * here + 0.25f * after;
        before = here, here = after;
    }
}

template <class Number>
void work(const ToRGB& c) {
    const size_t plane = size_t(c.height) * c.width;
    for (int row; (row = c.next->fetch_add(1)) < c.height;) {
        const Number* x = static_cast<const Number*>(c.x) + size_t(row) * c.width * c.inputs;
        float* y = c.y + size_t(row) * c.width;
        for (int i = 0; i < c.width; i++, x += c.inputs) {
            Vector red = {}, green = {}, blue = {};
            for (int k = 0; k < c.inputs; k += LANES) {
                const Vector value = load(x + k);
                red += value * load(c.weight + k);
                green += value * load(c.weight + c.inputs + k);
                blue += value * load(c.weight + 2 * c.inputs + k);
            }
            y[i] = sum(red) + c.bias[0];
            y[plane + i] = sum(green) + c.bias[1];
            y[2 * plane + i] = sum(blue) + c.bias[2];
        }
        for (int colour = 0; c.image && colour < 3; colour++)
            add_doubled(c.image + colour * (plane / 4), c.height / 2, c.width / 2, row, y + colour * plane);
    }
}

}  // namespace

// Does rows until none is left; called by every thread.
extern "C" void to_rgb(const ToRGB* c) {
#if defined(__AVX512BF16__)
    if (c->half) return work<BFloat16>(*c);
#endif
    work<float>(*c);
}
