package auth

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
)

// pemBlock is one block as found in a secret.
type pemBlock struct {
	label   string
	number  int // from 1, in order of appearance
	der     []byte
	headers bool // has "Proc-Type: …" lines: OpenSSL's old encryption
}

// pemError describes what is wrong with PEM. It never quotes the content.
type pemError struct{ problem, hint string }

func (e *pemError) Error() string {
	if e.hint == "" {
		return e.problem
	}
	return e.problem + ": " + e.hint
}

var (
	escapedBreak = regexp.MustCompile(`(\\+r)?\\+n|\\+r`)
	// Kafka's client.properties continues a line after a backslash.
	continued  = regexp.MustCompile(`\\[ \t]*(\r\n|\n|\r|$)`)
	escapedTab = regexp.MustCompile(`\\+t`)
	// A boundary may be anywhere in a line: pasting PEM may lose newlines.
	boundary = regexp.MustCompile(`(-+) ?(BEGIN|END) ([A-Za-z0-9][A-Za-z0-9 ._#/]*?) ?(-+)`)
	header   = regexp.MustCompile(`(?m)^[ \t]*(Proc-Type|DEK-Info)[ \t]*:.*$`)
	base64ID = regexp.MustCompile(`^[\s"]*MI[I-Q][A-Za-z0-9+/]`)
)

// base64OfPEM is the start of base64-encoded PEM: Kubernetes shows secrets in base64.
const base64OfPEM = "LS0tLS1CRUdJTi"

// parsePEM finds every block in text. encoding/pem finds nothing in PEM that is indented or on one line, and silently
// skips broken blocks; secrets often have both. parsePEM reads everything that is unambiguous. Everything else is an
// error that says which block and why.
func parsePEM(text string) ([]pemBlock, *pemError) {
	if strings.HasPrefix(strings.TrimSpace(text), base64OfPEM) {
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, &pemError{"is base64 of PEM, and not whole", "part of it is cut off or doubled: store the PEM itself"}
		}
		text = string(decoded)
	}
	text = strings.TrimPrefix(text, "\ufeff")
	// PEM has no backslashes: \n in it comes from JSON that was escaped twice.
	if strings.ContainsRune(text, '\\') {
		text = continued.ReplaceAllString(text, "\n")
		text = escapedTab.ReplaceAllString(escapedBreak.ReplaceAllString(text, "\n"), "\t")
	}
	// Ten hyphens in a row are an END and a BEGIN without a newline in between.
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u00a0", " ", "----------", "-----\n-----").Replace(text)
	marks := boundary.FindAllStringSubmatchIndex(text, -1)
	if len(marks) == 0 {
		return nil, noBoundary(text)
	}
	var blocks []pemBlock
	for i := 0; i < len(marks); i += 2 {
		begin, number := marks[i], i/2+1
		part := func(mark []int, group int) string { return text[mark[2*group]:mark[2*group+1]] }
		label := part(begin, 3)
		for _, mark := range marks[i:min(i+2, len(marks))] {
			if len(part(mark, 1)) != 5 || len(part(mark, 4)) != 5 {
				return nil, &pemError{fmt.Sprintf("the %s line of PEM block %d does not have five dashes on either side",
					part(mark, 2), number), "write -----BEGIN …----- and -----END …-----"}
			}
		}
		if part(begin, 2) != "BEGIN" {
			return nil, &pemError{fmt.Sprintf("PEM block %d has an END line and no BEGIN line", number), "its beginning is cut off"}
		}
		if i+1 == len(marks) || part(marks[i+1], 2) != "END" {
			return nil, &pemError{fmt.Sprintf("PEM block %d has no END line", number), "it is cut off: store it whole"}
		}
		if part(marks[i+1], 3) != label {
			return nil, &pemError{fmt.Sprintf("PEM block %d begins and ends with different labels", number), "two blocks are mixed"}
		}
		block := pemBlock{label: label, number: number}
		body := text[begin[1]:marks[i+1][0]]
		if header.MatchString(body) {
			block.headers = true
			body = header.ReplaceAllString(body, "")
		}
		if block.headers {
			blocks = append(blocks, block) // its body is not used, see key.go
			continue
		}
		der, err := decodeBody(body, number)
		if err != nil {
			return nil, err
		}
		block.der = der
		blocks = append(blocks, block)
	}
	return blocks, nil
}

// decodeBody decodes base64 that may contain white space anywhere.
func decodeBody(body string, number int) ([]byte, *pemError) {
	body = strings.Join(strings.Fields(body), "")
	if body == "" {
		return nil, &pemError{fmt.Sprintf("PEM block %d is empty", number), "store it whole"}
	}
	for _, r := range body {
		switch {
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '+', r == '/', r == '=':
		default:
			return nil, &pemError{fmt.Sprintf("PEM block %d holds a character that is not base64", number),
				"check for quotes, commas and dots that were added by copying"}
		}
	}
	der, err := base64.StdEncoding.Strict().DecodeString(body)
	if err != nil {
		return nil, &pemError{fmt.Sprintf("PEM block %d is not whole base64", number), "part of it is cut off or doubled"}
	}
	return der, nil
}

// noBoundary returns why there may be no PEM.
func noBoundary(text string) *pemError {
	const how = "PEM begins with a line like -----BEGIN CERTIFICATE-----"
	switch {
	case strings.Contains(text, "BEGIN"):
		return &pemError{"the BEGIN line is not in PEM format", "it takes five ASCII hyphens on either side"}
	case base64ID.MatchString(text):
		return &pemError{"is base64 without BEGIN and END lines", "add them: " + how}
	case strings.HasPrefix(text, "0\x82"):
		return &pemError{"is DER, not PEM", "convert it with openssl; " + how}
	}
	return &pemError{"is not PEM", how}
}
