package auth

import "hash"

// pkcs12Derive is the key derivation of PKCS#12 (RFC 7292, appendix B.2) for an already encoded password. It returns
// size bytes for the purpose id (1 is key, 2 is IV).
func pkcs12Derive(newHash func() hash.Hash, id byte, pass, salt []byte, iterations, size int) []byte {
	h := newHash()
	v, u := h.BlockSize(), h.Size()
	diversifier := make([]byte, v)
	for i := range diversifier {
		diversifier[i] = id
	}
	input := append(repeatTo(salt, v), repeatTo(pass, v)...)
	out := make([]byte, 0, size+u)
	for len(out) < size {
		h.Reset()
		h.Write(diversifier)
		h.Write(input)
		a := h.Sum(nil)
		for range iterations - 1 {
			h.Reset()
			h.Write(a)
			a = h.Sum(a[:0])
		}
		out = append(out, a...)
		b := repeatTo(a, v)[:v]
		for at := 0; at < len(input); at += v {
			addPlusOne(input[at:at+v], b)
		}
	}
	return out[:size]
}

// repeatTo repeats data to a whole number of blocks; empty data stays empty.
func repeatTo(data []byte, block int) []byte {
	if len(data) == 0 {
		return nil
	}
	out := make([]byte, (len(data)+block-1)/block*block)
	for i := range out {
		out[i] = data[i%len(data)]
	}
	return out
}

// addPlusOne sets x to x + b + 1, big endian, dropping the carry.
func addPlusOne(x, b []byte) {
	carry := 1
	for i := len(x) - 1; i >= 0; i-- {
		carry += int(x[i]) + int(b[i])
		x[i] = byte(carry)
		carry >>= 8
	}
}
