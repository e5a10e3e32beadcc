package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// secretParser parses one secret's JSON into Credentials.
type secretParser struct {
	config   SourceAccessConfiguration
	now      time.Time
	warnings []Warning
	fields   map[string]json.RawMessage
}

func (p *secretParser) fail(kind error, field, problem, hint string) *SecretError {
	return &SecretError{URI: p.config.URI, Type: p.config.Type, Field: field, Kind: kind, Problem: problem, Hint: hint}
}

func (p *secretParser) warnf(field, format string, args ...any) {
	p.warnings = append(p.warnings, Warning{URI: p.config.URI, Type: p.config.Type, Field: field,
		Message: fmt.Sprintf(format, args...)})
}

// into parses value and sets the fields of c that belong to the type.
func (p *secretParser) into(c *Credentials, value []byte) error {
	if err := p.object(value); err != nil {
		return err
	}
	switch p.config.Type {
	case BasicAuth, SASLSCRAM256Auth, SASLSCRAM512Auth:
		return p.login(c)
	case ServerRootCACertificate:
		return p.rootCAs(c)
	case ClientCertificateTLSAuth:
		return p.clientCertificate(c)
	case OAuthBearerAuth:
		return p.oauth(c)
	}
	return p.fail(ErrSourceAccess, "", "this Type has no secret", "see ValidateSourceAccess")
}

func (p *secretParser) login(c *Credentials) error {
	username, errUser := p.required("username")
	password, errPassword := p.required("password")
	if err := errors.Join(errUser, errPassword); err != nil {
		return err
	}
	for _, field := range []struct{ name, value string }{{"username", username}, {"password", password}} {
		if strings.ContainsRune(field.value, 0) {
			return p.fail(ErrSecretInvalid, field.name, "holds a zero byte", "SASL cannot carry it: choose another value")
		}
		if strings.TrimSpace(field.value) != field.value {
			p.warnf(field.name, "begins or ends with white space: if that is not meant, remove it")
		}
	}
	c.Protocol, c.Mechanism = ProtocolSASLSSL, p.config.Type.mechanism()
	c.Username, c.Password = username, NewSecret(password)
	return nil
}

// object splits the secret into its fields. encoding/json alone would match "Username" for username, use the last of
// two duplicates, and quote the value in errors.
func (p *secretParser) object(value []byte) error {
	const shape = `write a JSON object, such as {"username":"…","password":"…"}`
	value = bytes.TrimPrefix(value, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimSpace(value)
	switch {
	case len(trimmed) == 0:
		return p.fail(ErrSecretInvalid, "", "is empty", shape)
	case !utf8.Valid(value):
		return p.fail(ErrSecretInvalid, "", "is not UTF-8", "store text, not a binary file (a keystore has to become PEM)")
	case bytes.HasPrefix(trimmed, []byte("-----BEGIN")):
		return p.fail(ErrSecretInvalid, "", "is bare PEM, not JSON", `wrap it: {"certificate":"-----BEGIN…"}`)
	case bytes.HasPrefix(trimmed, []byte(base64OfPEM)), bytes.HasPrefix(trimmed, []byte("eyJ")), bytes.HasPrefix(trimmed, []byte("ewog")):
		return p.fail(ErrSecretInvalid, "", "is base64 of what belongs here", "store what it decodes to: "+shape)
	case trimmed[0] != '{':
		return p.fail(ErrSecretInvalid, "", "is not a JSON object", shape)
	}
	decoder := json.NewDecoder(bytes.NewReader(trimmed))
	fields, doubled, err := readObject(decoder)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			return p.fail(ErrSecretInvalid, "", "has something after the JSON object", "remove it")
		}
	}
	if err != nil {
		// The error itself would quote a character of the secret.
		return p.fail(ErrSecretInvalid, "", fmt.Sprintf("is not valid JSON, near byte %d", errorOffset(err, decoder)), shape)
	}
	if doubled != "" {
		return p.fail(ErrSecretInvalid, doubled, "is given twice", "keep one")
	}
	p.fields = fields
	return nil
}

// readObject reads a JSON object. doubled is the first known field that occurs twice.
func readObject(decoder *json.Decoder) (fields map[string]json.RawMessage, doubled string, err error) {
	if _, err = decoder.Token(); err != nil {
		return nil, "", err
	}
	fields = make(map[string]json.RawMessage)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, "", err
		}
		name, _ := token.(string)
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, "", err
		}
		if _, ok := fields[name]; ok && knownField(name) && doubled == "" {
			doubled = name
		}
		fields[name] = raw
	}
	_, err = decoder.Token()
	return fields, doubled, err
}

// knownField reports whether a name is a known field. Other names are not quoted: they may be pasted values.
func knownField(name string) bool {
	switch name {
	case "username", "password", "certificate", "privateKey", "privateKeyPassword",
		fieldEndpoint, fieldClientID, fieldSecret, fieldEmail, fieldOAuthKey, fieldExpiration, fieldIdPCA:
		return true
	}
	return false
}

func errorOffset(err error, decoder *json.Decoder) int64 {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return syntax.Offset
	}
	return decoder.InputOffset()
}

// required returns a field that must be present, a string, and not empty.
func (p *secretParser) required(name string) (string, error) {
	value, present, err := p.optional(name)
	switch {
	case err != nil:
		return "", err
	case !present:
		return "", p.fail(ErrSecretInvalid, name, "is missing", p.missingHint(name))
	case strings.TrimSpace(value) == "":
		return "", p.fail(ErrSecretInvalid, name, "is empty", "set it")
	}
	return value, nil
}

// optional returns a field that may be missing or null.
func (p *secretParser) optional(name string) (value string, present bool, err error) {
	raw, ok := p.fields[name]
	if !ok || string(raw) == "null" {
		return "", false, nil
	}
	if kind := jsonKind(raw); kind != "string" {
		return "", false, p.fail(ErrSecretInvalid, name, "is a JSON "+kind+", not a string", "put it in double quotes")
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return "", false, p.fail(ErrSecretInvalid, name, "is not a valid JSON string", "check its escapes")
	}
	// encoding/json replaces an escape of half a surrogate pair with U+FFFD.
	if strings.ContainsRune(value, utf8.RuneError) && !bytes.ContainsRune(raw, utf8.RuneError) &&
		!bytes.Contains(bytes.ToLower(raw), []byte(`\ufffd`)) {
		return "", false, p.fail(ErrSecretInvalid, name, `holds half of a \u surrogate pair`, "write the character itself")
	}
	return value, true, nil
}

func jsonKind(raw json.RawMessage) string {
	switch {
	case len(raw) == 0:
		return "nothing"
	case raw[0] == '"':
		return "string"
	case raw[0] == '{':
		return "object"
	case raw[0] == '[':
		return "array"
	case raw[0] == 't', raw[0] == 'f':
		return "boolean"
	}
	return "number"
}

// missingHint says what was found instead: the name in another spelling, or the fields of another Type. It quotes only
// known names.
func (p *secretParser) missingHint(name string) string {
	known := make([]string, 0, len(p.fields))
	for field := range p.fields {
		plain := strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.TrimSpace(field)))
		if field != name && plain == strings.ToLower(name) {
			return fmt.Sprintf("the name is %s, in these letters", name)
		}
		if knownField(field) {
			known = append(known, field)
		}
	}
	if len(known) == 0 {
		return "add it"
	}
	sort.Strings(known)
	return "add it; the secret has " + strings.Join(known, ", ")
}
