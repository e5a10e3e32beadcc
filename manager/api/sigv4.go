package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	signatureAlgorithm = "AWS4-HMAC-SHA256"
	signingService     = "lambda"
	amzDate            = "20060102T150405Z"
	// clockWindow is the allowed difference between a request's time and ours (AWS's documentation of Signature Version
	// 4).
	clockWindow = 5 * time.Minute
)

// textSignature is AWS's text.
const textSignature = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// authorization is a parsed Authorization header.
type authorization struct {
	accessKeyID, date, region, service, terminator string
	signedHeaders                                  []string
	signature                                      string
}

func denied(name, message string) *failure {
	return &failure{status: http.StatusForbidden, name: name, message: message}
}

// authenticate verifies a request's signature; body is the request's body.
func (h *handler) authenticate(r *http.Request, body []byte) *failure {
	if h.o.open {
		return nil
	}
	if r.URL.Query().Has("X-Amz-Signature") {
		return denied("IncompleteSignatureException", "A presigned URL is refused here; sign the request in its Authorization header.")
	}
	a, f := parseAuthorization(r.Header.Values("Authorization"))
	if f != nil {
		return f
	}
	credentials, known := h.o.credentials[a.accessKeyID]
	if !known || !equal(r.Header.Get("X-Amz-Security-Token"), credentials.SessionToken.Reveal()) {
		return denied("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	at, err := time.Parse(amzDate, r.Header.Get("X-Amz-Date"))
	switch now := time.Now().UTC(); {
	case err != nil:
		return denied("IncompleteSignatureException", "Authorization header requires existence of a 'X-Amz-Date' header, such as 20260102T150405Z.")
	case at.Format("20060102") != a.date:
		return denied("InvalidSignatureException", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
	case at.Before(now.Add(-clockWindow)):
		return denied("InvalidSignatureException", fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)", at.Format(amzDate), now.Add(-clockWindow).Format(amzDate), now.Format(amzDate)))
	case at.After(now.Add(clockWindow)):
		return denied("InvalidSignatureException", fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", at.Format(amzDate), now.Add(clockWindow).Format(amzDate), now.Format(amzDate)))
	case a.service != signingService || a.terminator != "aws4_request":
		return denied("InvalidSignatureException", "Credential should be scoped to correct service: 'lambda'.")
	case a.region != h.region:
		return denied("InvalidSignatureException", fmt.Sprintf("Credential should be scoped to a valid Region, not '%.40s'. This service's is '%s'.", printable(a.region), h.region))
	}
	if f := checkSigned(r, a); f != nil {
		return f
	}
	want, err := h.sign(r, body, a, credentials, at)
	if err != nil || !equal(want, a.signature) {
		return denied("InvalidSignatureException", textSignature)
	}
	return nil
}

// parseAuthorization parses the Authorization header. There must be exactly one.
func parseAuthorization(headers []string) (authorization, *failure) {
	var a authorization
	incomplete := func(text string) *failure { return denied("IncompleteSignatureException", text) }
	if len(headers) == 0 {
		return a, denied("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	rest, ok := strings.CutPrefix(headers[0], signatureAlgorithm)
	if len(headers) > 1 || !ok || !strings.HasPrefix(rest, " ") {
		return authorization{}, incomplete("Authorization header must be one of " + signatureAlgorithm + ".")
	}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) < 5 {
				return authorization{}, incomplete("Credential must have at least 5 slash-delimited elements: key/date/region/service/aws4_request.")
			}
			n := len(scope) - 4
			a.accessKeyID = strings.Join(scope[:n], "/")
			a.date, a.region, a.service, a.terminator = scope[n], scope[n+1], scope[n+2], scope[n+3]
		case "SignedHeaders":
			a.signedHeaders = strings.Split(value, ";")
		case "Signature":
			a.signature = value
		}
	}
	for name, missing := range map[string]bool{"Credential": a.accessKeyID == "", "SignedHeaders": len(a.signedHeaders) == 0, "Signature": a.signature == ""} {
		if missing {
			return authorization{}, incomplete("Authorization header requires '" + name + "' parameter.")
		}
	}
	return a, nil
}

// checkSigned rejects a signature that does not cover what determines the request: the host, and every x-amz- header.
func checkSigned(r *http.Request, a authorization) *failure {
	needed := []string{"host"}
	for name := range r.Header {
		if name := strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			needed = append(needed, name)
		}
	}
	for _, name := range needed {
		if !slices.Contains(a.signedHeaders, name) {
			return denied("InvalidSignatureException", "'"+printable(name)+"' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	return nil
}

// sign signs the received request as its client should have, and returns the signature.
func (h *handler) sign(r *http.Request, body []byte, a authorization, credentials Credentials, at time.Time) (string, error) {
	received := *r.URL
	if r.RequestURI != "" { // the path as received: a mux may have stripped a prefix
		u, err := url.ParseRequestURI(r.RequestURI)
		if err != nil {
			return "", err
		}
		received = *u
	}
	clone := &http.Request{Method: r.Method, URL: &received, Host: h.calledBy(r), Header: make(http.Header)}
	for _, name := range a.signedHeaders {
		switch name {
		case "host", "x-amz-date", "x-amz-security-token": // the signer sets these
		case "content-length":
			clone.ContentLength = int64(len(body))
		default:
			if values := r.Header.Values(name); len(values) > 0 {
				clone.Header[http.CanonicalHeaderKey(name)] = slices.Clone(values)
			}
		}
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if given := r.Header.Get("X-Amz-Content-Sha256"); given != "" && !equal(given, hash) {
		return "", fmt.Errorf("the body has another hash than X-Amz-Content-Sha256 says")
	}
	err := v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{
		AccessKeyID: credentials.AccessKeyID, SecretAccessKey: credentials.SecretAccessKey.Reveal(), SessionToken: credentials.SessionToken.Reveal(),
	}, clone, hash, signingService, a.region, at)
	if err != nil {
		return "", err
	}
	made, f := parseAuthorization(clone.Header.Values("Authorization"))
	if f != nil {
		return "", f
	}
	return made.signature, nil
}

// equal compares in constant time.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// printable replaces the characters of a header that could corrupt an answer.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
