package auth

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// Ways in which the same two certificates are pasted.
func TestPEMAsPasted(t *testing.T) {
	a, b := issue(nil, "a", nil), issue(nil, "b", nil)
	whole := a.pem() + b.pem()
	indented := "    " + strings.ReplaceAll(whole, "\n", "\n    ")
	for name, text := range map[string]string{
		"as is":            whole,
		"CRLF":             strings.ReplaceAll(whole, "\n", "\r\n"),
		"CR":               strings.ReplaceAll(whole, "\n", "\r"),
		"blank lines":      strings.ReplaceAll(whole, "\n", "\n\n"),
		"indented":         indented,
		"tabs":             strings.ReplaceAll(whole, "\n", "\n\t"),
		"one line, spaces": strings.ReplaceAll(whole, "\n", " "),
		"one line, none":   strings.ReplaceAll(whole, "\n", ""),
		"escaped":          strings.ReplaceAll(whole, "\n", `\n`),
		"escaped CRLF":     strings.ReplaceAll(whole, "\n", `\r\n`),
		"escaped twice":    strings.ReplaceAll(whole, "\n", `\\n`),
		"escaped and real": strings.ReplaceAll(whole, "\n", `\n`+"\n"),
		"no last newline":  strings.TrimSpace(whole),
		"base64":           base64.StdEncoding.EncodeToString([]byte(whole)),
		"base64, wrapped":  base64.StdEncoding.EncodeToString([]byte(whole))[:64] + "\n" + base64.StdEncoding.EncodeToString([]byte(whole))[64:],
		"continued lines":  strings.ReplaceAll(strings.TrimSpace(whole), "\n", " \\\n"),
		"properties":       strings.ReplaceAll(strings.TrimSpace(whole), "\n", `\n\`+"\n  "),
		"BOM":              "\ufeff" + whole,
		"text around":      "subject=/CN=a - the first\n" + a.pem() + "\nBag Attributes\n    localKeyID: 01\n" + b.pem() + "\nend",
		"no-break spaces":  strings.ReplaceAll(whole, "\n", "\n\u00a0"),
		"X509 label":       strings.ReplaceAll(whole, "CERTIFICATE", "X509 CERTIFICATE"),
		"twice":            whole + whole,
	} {
		got, err := readCertificates(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(got) != 2 || !bytes.Equal(got[0].Raw, a.cert.Raw) || !bytes.Equal(got[1].Raw, b.cert.Raw) {
			t.Errorf("%s: read %d certificates, not the two", name, len(got))
		}
	}
}

// If text is not PEM, the error says why.
func TestPEMRefused(t *testing.T) {
	a := issue(nil, "a", nil).pem()
	body := strings.Split(a, "\n")
	for name, c := range map[string]struct{ text, want string }{
		"base64, cut":     {base64.StdEncoding.EncodeToString([]byte(a))[:81], "is base64 of PEM, and not whole"},
		"prose":           {"changeme", "is not PEM"},
		"bare base64":     {strings.Join(body[1:len(body)-2], "\n"), "without BEGIN and END"},
		"four dashes":     {strings.Replace(a, "-----BEGIN", "----BEGIN", 1), "five dashes"},
		"en dashes":       {strings.ReplaceAll(a, "-", "–"), "five ASCII hyphens"},
		"no END":          {strings.Join(body[:len(body)-2], "\n"), "no END line"},
		"no BEGIN":        {strings.Join(body[1:], "\n"), "no BEGIN line"},
		"mixed labels":    {strings.Replace(a, "END CERTIFICATE", "END PRIVATE KEY", 1), "different labels"},
		"cut body":        {strings.Replace(a, body[1], body[1][:32], 1), "certificate that can be read"},
		"cut body, odd":   {strings.Replace(a, body[1], body[1][:31], 1), "not whole base64"},
		"comma":           {strings.Replace(a, body[1], body[1]+",", 1), "not base64"},
		"empty":           {body[0] + "\n" + body[len(body)-2], "is empty"},
		"trusted":         {strings.ReplaceAll(a, "CERTIFICATE", "TRUSTED CERTIFICATE"), "openssl x509"},
		"request":         {strings.ReplaceAll(a, "CERTIFICATE", "CERTIFICATE REQUEST"), "request"},
		"pkcs7":           {strings.ReplaceAll(a, "CERTIFICATE", "PKCS7"), "openssl pkcs7"},
		"key":             {issue(nil, "k", nil).keyPEM(), "private key in it"},
		"broken second":   {a + "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "block 2"},
		"nested":          {body[0] + "\n" + a, "no END line"},
		"DER":             {"0\x82\x01\x02", "is DER"},
		"nothing at all":  {"", "is not PEM"},
		"END before":      {body[len(body)-2] + "\n" + a, "no BEGIN line"},
		"only the second": {a + body[0], "no END line"},
	} {
		_, err := readCertificates(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
