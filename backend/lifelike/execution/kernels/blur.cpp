// SPDX-License-Identifier: GPL-3.0-or-later
// The second half of a convolution that doubles: the blur with the filter 1, 3, 3, 1 along both axes, and the finish.
#include "convolution.hpp"

namespace {

constexpr int ROWS_OF_JOB = 8;  // even: rows are made in pairs, which share what they read

// Two rows of y from five of z; what lies outside z is zero.
template <class Number>
void blur_pair(const Convolution& c, int row, int channel) {
    const int height = 2 * c.height, width = 2 * c.width;
    const ptrdiff_t line = ptrdiff_t(width + 1) * c.outputs;
    const Number* z = static_cast<const Number*>(c.z) + row * line + channel;
    const Number* above = row ? z - line : z;
    const Number* below = row + 3 <= height ? z + 3 * line : z;
    const float top = row ? 1.0f : 0.0f, bottom = row + 3 <= height ? 1.0f : 0.0f;
    const Finish<Number> finish(c, channel, 1.0f / 16.0f);
    Vector upper[3] = {}, lower[3] = {};  // the last sums along the columns
    for (int x = -2; x < width; x++) {
        Vector up = {}, low = {};
        if (const ptrdiff_t at = ptrdiff_t(x + 2) * c.outputs; x + 2 <= width) {
            const Vector z0 = load(z + at), z1 = load(z + line + at), z2 = load(z + 2 * line + at);
            up = top * load(above + at) + 3.0f * (z0 + z1) + z2;
            low = z0 + 3.0f * (z1 + z2) + bottom * load(below + at);
        }
        if (x >= 0) {
            const size_t pixel = size_t(row) * width + x;
            finish(upper[0] + 3.0f * (upper[1] + upper[2]) + up, pixel);
            finish(lower[0] + 3.0f * (lower[1] + lower[2]) + low, pixel + width);
        }
        upper[0] = upper[1], upper[1] = upper[2], upper[2] = up;
        lower[0] = lower[1], lower[1] = lower[2], lower[2] = low;
    }
}

template <class Number>
void work(const Convolution& c) {
    const int height = 2 * c.height, jobs = (height + ROWS_OF_JOB - 1) / ROWS_OF_JOB;
    for (int job; (job = c.next->fetch_add(1)) < jobs;)
        for (int row = job * ROWS_OF_JOB; row < height && row < (job + 1) * ROWS_OF_JOB; row += 2)
            for (int channel = 0; channel < c.outputs; channel += LANES) blur_pair<Number>(c, row, channel);
}

}  // namespace

// From z to y, once `convolve` is done; called by every thread.
extern "C" void blur(const Convolution* c) {
#if defined(__AVX512BF16__)
    if (c->half) return work<BFloat16>(*c);
#endif
    work<float>(*c);
}
