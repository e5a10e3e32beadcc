package auth

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// x500Keywords are the attribute types that RFC 2253 names, as Java knows them. All others are printed by number, with
// the value in hexadecimal.
var x500Keywords = map[string]string{
	"2.5.4.3":                    "CN",
	"2.5.4.6":                    "C",
	"2.5.4.7":                    "L",
	"2.5.4.8":                    "ST",
	"2.5.4.9":                    "STREET",
	"2.5.4.10":                   "O",
	"2.5.4.11":                   "OU",
	"0.9.2342.19200300.100.1.1":  "UID",
	"0.9.2342.19200300.100.1.25": "DC",
}

// subjectName and issuerName return a certificate's names as Kafka prints them.
func subjectName(c *x509.Certificate) string { return distinguishedName(c.RawSubject) }
func issuerName(c *x509.Certificate) string  { return distinguishedName(c.RawIssuer) }

// Principal returns the principal that ACLs must name for these credentials: "User:" followed by the user name, or by
// the subject of the client's certificate as Java's X500Principal.getName() prints it. Brokers with
// ssl.principal.mapping.rules may map the subject to another name. It is "User:ANONYMOUS" without either. It is "" for
// tokens: brokers use one of their claims, "sub" by default.
func (c *Credentials) Principal() string {
	switch {
	case c == nil:
	case c.Username != "":
		return "User:" + c.Username
	case c.protocol() == ProtocolSASLSSL:
		return ""
	case len(c.Certificate) > 0:
		if chain, err := readCertificates(string(c.Certificate)); err == nil {
			return "User:" + subjectName(chain[0])
		}
		return ""
	}
	return "User:ANONYMOUS"
}

// distinguishedName prints a DER-encoded name as Java's X500Principal.getName() does (RFC 2253), from which Kafka makes
// a principal: last part first, otherwise in the certificate's order, with Java's additional escapes. pkix.Name would
// sort the parts by type. DER that is not a name is printed in hexadecimal.
func distinguishedName(der []byte) string {
	var parts []asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &parts); err != nil || len(rest) > 0 {
		return "#" + hex.EncodeToString(der)
	}
	names := make([]string, len(parts))
	for i, part := range parts {
		name, ok := relativeName(part)
		if !ok {
			return "#" + hex.EncodeToString(der)
		}
		names[len(parts)-1-i] = name
	}
	return strings.Join(names, ",")
}

// relativeName prints one part, which may have several attributes.
func relativeName(part asn1.RawValue) (string, bool) {
	if part.Tag != asn1.TagSet || part.Class != asn1.ClassUniversal {
		return "", false
	}
	var all []string
	for rest := part.Bytes; len(rest) > 0; {
		var attribute struct {
			Type  asn1.ObjectIdentifier
			Value asn1.RawValue
		}
		var err error
		if rest, err = asn1.Unmarshal(rest, &attribute); err != nil {
			return "", false
		}
		all = append(all, attributeText(attribute.Type.String(), attribute.Value))
	}
	return strings.Join(all, "+"), len(all) > 0
}

// attributeText prints one attribute.
func attributeText(oid string, value asn1.RawValue) string {
	keyword, known := x500Keywords[oid]
	if !known {
		keyword = oid
	}
	if !known || !x500Text(value) {
		return keyword + "=#" + hex.EncodeToString(value.FullBytes)
	}
	return keyword + "=" + escapeX500(javaUTF8(value.Bytes))
}

// x500Text reports whether Java prints a value as text. Java decodes the bytes of each of these types as UTF-8, even
// those of BMPString, whose characters have two bytes.
func x500Text(value asn1.RawValue) bool {
	if value.Class != asn1.ClassUniversal {
		return false
	}
	switch value.Tag {
	case asn1.TagPrintableString, asn1.TagT61String, asn1.TagIA5String, asn1.TagGeneralString, asn1.TagBMPString, asn1.TagUTF8String:
		return true
	}
	return false
}

// escapeX500 escapes a value as Java does: RFC 2253's characters, = and #, a zero, and white space at both ends.
func escapeX500(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == 0:
			b.WriteString(`\00`)
			continue
		case strings.ContainsRune(`,=+<>#;"\`, r):
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	escaped := b.String()
	const blank = " \r"
	inner := strings.TrimLeft(escaped, blank)
	lead := escaped[:len(escaped)-len(inner)]
	inner = strings.TrimRight(inner, blank)
	trail := escaped[len(lead)+len(inner):]
	each := func(blanks string) string {
		var b strings.Builder
		for i := range len(blanks) {
			b.WriteString(`\` + blanks[i:i+1])
		}
		return b.String()
	}
	return each(lead) + inner + each(trail)
}

// javaUTF8 decodes UTF-8 as Java does: each incomplete character, as long as possible, becomes one U+FFFD.
func javaUTF8(b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			size = malformed(b)
		}
		out.WriteRune(r)
		b = b[size:]
	}
	return out.String()
}

// malformed returns how many bytes at the start of b, which is not a complete character, could have begun one.
func malformed(b []byte) int {
	low, high, want := byte(0x80), byte(0xbf), 0
	switch lead := b[0]; {
	case lead >= 0xc2 && lead <= 0xdf:
		want = 1
	case lead >= 0xe0 && lead <= 0xef:
		want = 2
		if lead == 0xe0 {
			low = 0xa0
		}
		if lead == 0xed {
			high = 0x9f
		}
	case lead >= 0xf0 && lead <= 0xf4:
		want = 3
		if lead == 0xf0 {
			low = 0x90
		}
		if lead == 0xf4 {
			high = 0x8f
		}
	}
	n := 1
	for n <= want && n < len(b) && b[n] >= low && b[n] <= high {
		low, high = 0x80, 0xbf
		n++
	}
	return n
}
