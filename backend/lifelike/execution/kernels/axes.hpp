// SPDX-License-Identifier: GPL-3.0-or-later
// Winograd's minimal filtering along one axis: samples → points, taps → points, products → samples.
//
// A convolution's products are made between points; `in` and `out` are the distances between neighbours in memory.
#pragma once

#include "vectors.hpp"

// As large as before: F(4, 3) (Lavin and Gray, arXiv 1509.09308), 6 products for 4 samples, where 12 stood. The points
// are 0, ±√½, ±√2, ∞ instead of the usual 0, ±1, ±2, ∞: half the rounding error in bf16 (after Barabasz et al.,
// arXiv 1803.10986).
struct Same {
    static constexpr int SAMPLES = 6, POINTS = 6, WEIGHTS = 6, RESULTS = 4, STEP = 4;
    static constexpr float A = 0.70710678f, B = 1.41421356f;  // A² = 1/2, B² = 2

    static void to_points(const Vector* d, Vector* v, int in, int out) {
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

    static void weight_to_points(const Vector* w, Vector* u, int in, int out) {
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

    static void from_points(const Vector* m, Vector* y, int in, int out) {
        const Vector a = m[in] + m[2 * in], b = m[3 * in] + m[4 * in];
        const Vector c = A * (m[in] - m[2 * in]), d = B * (m[3 * in] - m[4 * in]);
        y[0] = m[0] + a + b;
        y[out] = c + d;
        y[2 * out] = 0.5f * a + 2.0f * b;
        y[3 * out] = 0.5f * c + 2.0f * d + m[5 * in];
    }
};

// With a stride of 2, either way, every second sample meets the filter's first and last tap and those between them its
// middle one. The former are F(3, 2) with the points 0, ±1, ∞, the latter ordinary products, all with one weight.
struct Strided {
    static constexpr int POINTS = 7, WEIGHTS = 5;

    static void to_points(Vector d0, Vector d1, Vector d2, Vector d3, Vector* v, int out) {
        v[0] = d0 - d2;
        v[out] = d1 + d2;
        v[2 * out] = d2 - d1;
        v[3 * out] = d3 - d1;
    }

    static void weight_to_points(const Vector* w, Vector* u, int in, int out) {
        u[0] = w[0];
        u[out] = 0.5f * (w[0] + w[2 * in]);
        u[2 * out] = 0.5f * (w[0] - w[2 * in]);
        u[3 * out] = w[2 * in];
        u[4 * out] = w[in];
    }
};

// Twice as large, plus one: a transposed convolution. 7 products for 6 samples.
struct Doubled : Strided {
    static constexpr int SAMPLES = 4, RESULTS = 6, STEP = 3;

    static void to_points(const Vector* d, Vector* v, int in, int out) {
        Strided::to_points(d[0], d[in], d[2 * in], d[3 * in], v, out);
        for (int i = 1; i < 4; i++) v[(3 + i) * out] = d[i * in];
    }

    static void from_points(const Vector* m, Vector* y, int in, int out) {
        const Vector a = m[in] + m[2 * in];
        y[0] = m[0] + a;
        y[2 * out] = m[in] - m[2 * in];
        y[4 * out] = a + m[3 * in];
        for (int i = 0; i < 3; i++) y[(2 * i + 1) * out] = m[(4 + i) * in];
    }
};

// Half as large: 7 products for 3 samples, where 9 stood.
struct Halved : Strided {
    static constexpr int SAMPLES = 7, RESULTS = 3, STEP = 6;

    static void to_points(const Vector* d, Vector* v, int in, int out) {
        Strided::to_points(d[0], d[2 * in], d[4 * in], d[6 * in], v, out);
        for (int i = 0; i < 3; i++) v[(4 + i) * out] = d[(2 * i + 1) * in];
    }

    static void from_points(const Vector* m, Vector* y, int in, int out) {
        const Vector a = m[in] + m[2 * in];
        y[0] = m[0] + a + m[4 * in];
        y[out] = m[in] - m[2 * in] + m[5 * in];
        y[2 * out] = a + m[3 * in] + m[6 * in];
    }
};
