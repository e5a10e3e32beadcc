// Package jsonlen computes the lengths of numbers and bytes in JSON without encoding them. Package event uses it to size
// a record, internal/size to size a run of records.
package jsonlen

import "math"

// Int returns the length of n in decimal.
func Int(n int64) int {
	if uint64(n) < 10 {
		return 1
	}
	return LongInt(n)
}

// Millis is Int for a time in milliseconds, which has thirteen digits from 2001 to 2286.
func Millis(n int64) int {
	if uint64(n-1e12) < 9e12 {
		return 13
	}
	return LongInt(n)
}

// LongInt is Int for long numbers. Neighboring offsets have the same length, so the processor predicts these branches; a
// logarithm by bits.Len64 takes twice as long.
func LongInt(n int64) int {
	switch {
	case n < 0:
		if n == math.MinInt64 {
			return len(`-9223372036854775808`)
		}
		return len(`-`) + Int(-n)
	case n < 1e4:
		return stepLen(n, 1, 1e1, 1e2, 1e3)
	case n < 1e8:
		return stepLen(n, 5, 1e5, 1e6, 1e7)
	case n < 1e12:
		return stepLen(n, 9, 1e9, 1e10, 1e11)
	case n < 1e16:
		return stepLen(n, 13, 1e13, 1e14, 1e15)
	}
	if n >= 1e18 {
		return 19
	}
	return stepLen(n, 17, 1e17, 1e18, 1e18)
}

// stepLen returns least, plus one digit for each of the three rising powers of ten that n reaches.
func stepLen(n int64, least int, first, second, third int64) int {
	switch {
	case n < first:
		return least
	case n < second:
		return least + 1
	case n < third:
		return least + 2
	}
	return least + 3
}

// Base64 returns the length of n bytes in padded base64.
func Base64(n int) int { return int(uint(n+2) / 3 * 4) }
