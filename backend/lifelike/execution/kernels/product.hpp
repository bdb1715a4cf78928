// SPDX-License-Identifier: GPL-3.0-or-later
// Products of small matrices, m[row][column] = Σ a[row][k] · w[k][column], as many sums at a time as there are registers.
#pragma once

#include <cstring>

#include "vectors.hpp"

// R rows and C vectors of columns, all in registers.
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

// The last rows, at most R: few alone would wait for one another's sums.
template <int R, int C, class Number>
void multiply_rest(const Number* a, int rows, int depth, const Number* w, float* m) {
    if (rows == R) multiply<R, C>(a, depth, w, m);
    else if constexpr (R > 1) multiply_rest<R - 1, C>(a, rows, depth, w, m);
}

template <int C, class Number>
void multiply_rows(const Number* a, int rows, int depth, const Number* w, float* m) {
    constexpr int R = C == 1 ? 2 * ROWS : ROWS * COLUMNS / C;
    int r = 0;
    for (; r + R <= rows; r += R) multiply<R, C>(a + size_t(r) * depth, depth, w, m + size_t(r) * C * LANES);
    multiply_rest<R - 1, C>(a + size_t(r) * depth, rows - r, depth, w, m + size_t(r) * C * LANES);
}

// columns: vectors of them, at most C.
template <class Number, int C = COLUMNS>
void multiply_rows(const Number* a, int rows, int depth, const Number* w, int columns, float* m) {
    if (columns == C) multiply_rows<C>(a, rows, depth, w, m);
    else if constexpr (C > 1) multiply_rows<Number, C - 1>(a, rows, depth, w, columns, m);
}
