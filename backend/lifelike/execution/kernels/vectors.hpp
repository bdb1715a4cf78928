// SPDX-License-Identifier: GPL-3.0-or-later
// Vectors as wide as the processor's, and numbers of 32 and of 16 bits in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#if defined(__AVX512F__)
#include <immintrin.h>
#endif

// LANES: numbers in a vector. COLUMNS × ROWS: the block of a matrix product that fits into the registers.
#if defined(__AVX512F__)
constexpr int LANES = 16, COLUMNS = 4, ROWS = 6;
#elif defined(__AVX2__)
constexpr int LANES = 8, COLUMNS = 2, ROWS = 6;
#else
constexpr int LANES = 4, COLUMNS = 4, ROWS = 6;
#endif

typedef float Vector __attribute__((vector_size(LANES * 4)));
typedef Vector Unaligned __attribute__((aligned(4)));
typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));
typedef Bits UnalignedBits __attribute__((aligned(4)));

struct BFloat16 {
    uint16_t bits;
};

inline Vector load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(float* to, Vector value) { *reinterpret_cast<Unaligned*>(to) = value; }

// The upper halves of the numbers rounded to bf16, to the nearest even one.
inline Bits rounded(Vector value) {
    const Bits bits = (Bits)value;
    return (bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u;
}

#if defined(__AVX512BF16__)
inline Vector load(const BFloat16* from) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    return (Vector)_mm512_slli_epi32(wide, 16);
}
inline void store(BFloat16* to, Vector value) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh((__m512)value));
}
#endif

inline float sum(Vector value) {
    float total = 0;
    for (int lane = 0; lane < LANES; lane++) total += value[lane];
    return total;
}
