package filter

import "net/netip"

// parseIP parses an IPv4 or IPv6 literal as netip.ParseAddr does, but without zones. It does not use netip
// because most strings that it sees are not addresses, and netip's error for those is an allocation.
func parseIP(s []byte) (netip.Addr, bool) {
	for i, c := range s {
		switch c {
		case '.':
			v4, ok := parseIPv4(s)
			return netip.AddrFrom4(v4), ok
		case ':':
			return parseIPv6(s)
		}
		if i == 4 {
			break
		}
	}
	return netip.Addr{}, false
}

func parseIPv4(s []byte) (out [4]byte, ok bool) {
	n, val, digits := 0, 0, 0
	for _, c := range s {
		switch {
		case c == '.':
			if digits == 0 || n == 3 {
				return out, false
			}
			out[n] = byte(val)
			n++
			val, digits = 0, 0
		case c >= '0' && c <= '9':
			if digits > 0 && val == 0 { // a leading zero could mean octal
				return out, false
			}
			val = val*10 + int(c-'0')
			digits++
			if val > 255 {
				return out, false
			}
		default:
			return out, false
		}
	}
	if n != 3 || digits == 0 {
		return out, false
	}
	out[3] = byte(val)
	return out, true
}

func parseIPv6(s []byte) (netip.Addr, bool) {
	var ip [16]byte
	gap := -1 // where "::" is
	if len(s) >= 2 && s[0] == ':' && s[1] == ':' {
		gap = 0
		s = s[2:]
	}
	n := 0
	for len(s) > 0 && n < 16 {
		val, digits := 0, 0
		for digits < len(s) {
			h := unhex(s[digits])
			if h < 0 {
				break
			}
			val = val<<4 | h
			digits++
			if digits > 4 {
				return netip.Addr{}, false
			}
		}
		if digits == 0 {
			return netip.Addr{}, false
		}
		if digits < len(s) && s[digits] == '.' {
			v4, ok := parseIPv4(s)
			if !ok || n > 12 || gap < 0 && n != 12 {
				return netip.Addr{}, false
			}
			copy(ip[n:], v4[:])
			n += 4
			s = nil
			break
		}
		ip[n], ip[n+1] = byte(val>>8), byte(val)
		n += 2
		s = s[digits:]
		if len(s) == 0 {
			break
		}
		if s[0] != ':' || len(s) == 1 {
			return netip.Addr{}, false
		}
		s = s[1:]
		if s[0] == ':' {
			if gap >= 0 {
				return netip.Addr{}, false
			}
			gap = n
			s = s[1:]
		}
	}
	if len(s) > 0 || n == 16 && gap >= 0 || n < 16 && gap < 0 {
		return netip.Addr{}, false
	}
	if n < 16 {
		moved := copy(ip[16-(n-gap):], ip[gap:n])
		clear(ip[gap : 16-moved])
	}
	return netip.AddrFrom16(ip), true
}

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
