// SPDX-License-Identifier: GPL-3.0-or-later
// A 3×3 convolution with all that StyleGAN2 does before and after it.
#pragma once

#include <atomic>

#include "vectors.hpp"

enum Change : int32_t { SAME, DOUBLED, HALVED };  // what becomes of the size

extern "C" struct Convolution {
    int32_t inputs, outputs, height, width;  // channels; size of x
    int32_t change, half;                    // a Change; bf16 instead of fp32
    int32_t tiles, groups;                   // tiles in a strip; parts into which a strip's outputs are divided
    const void* x;                           // [height, width, inputs]
    const void* weight;                      // from pack_weight
    const float* scale;                      // [inputs], multiplied onto x
    const float* shift;                      // [inputs], added to x inside the picture, or null
    const float* gain;                       // [outputs], multiplied onto the sums
    const float* bias;                       // [outputs]
    const float* slope;                      // [outputs], of the leaky ReLU
    const float* noise;                      // of y's height and width, or null
    const void* added;                       // of y's size, or null; added at the end
    void* y;                                 // as large as x, twice or half as large; [.., .., outputs]
    void* z;                                 // where it doubles: before the blur, [2 height + 1, 2 width + 1, outputs]
    std::atomic<int32_t>* next;              // the next job, shared by all threads
};

// What follows the sums: gain, bias, noise, leaky ReLU and what is added, for one vector of outputs.
template <class Number>
struct Finish {
    const Convolution& c;
    const int channel;
    const Vector gain, bias, slope;

    Finish(const Convolution& c, int channel, float factor = 1.0f)
        : c(c), channel(channel), gain(load(c.gain + channel) * factor), bias(load(c.bias + channel)),
          slope(load(c.slope + channel)) {}

    void operator()(Vector sums, size_t pixel) const {
        const size_t at = pixel * c.outputs + channel;
        Vector value = sums * gain + bias;
        if (c.noise) value += c.noise[pixel];
        value = value > 0.0f ? value : value * slope;
        if (c.added) value += load(static_cast<const Number*>(c.added) + at);
        store(static_cast<Number*>(c.y) + at, value);
    }
};
