package mapping

import (
	"fmt"
	"unicode/utf8"

	"github.com/esm-go/esm/auth"
)

// SourceAccessConfiguration names one secret, or one network resource, needed to reach the cluster. Package auth
// defines the types and documents what each secret must contain.
type (
	SourceAccessConfiguration = auth.SourceAccessConfiguration
	// SourceAccessType says what a SourceAccessConfiguration is.
	SourceAccessType = auth.SourceAccessType
)

// checkSourceAccess reports what package auth finds wrong with the entries and their combination.
func checkSourceAccess(c *checker, path string, configs []SourceAccessConfiguration) {
	if c.strict && len(configs) == 0 {
		c.refuse(path, nil, "Required 'sourceAccessConfigurations' parameter is missing. "+
			"AWS requires at least the VPC_SUBNET and VPC_SECURITY_GROUP entries where brokers need no authentication")
	}
	for _, p := range auth.ValidateSourceAccess(configs) {
		if p.AWSLimit && !c.strict {
			continue
		}
		field := path
		if p.Index >= 0 {
			field = fmt.Sprintf("%s[%d]", path, p.Index)
			if p.Field != "" {
				field += "." + p.Field
			}
		}
		reason := p.Message
		if p.Other >= 0 {
			reason += fmt.Sprintf(" (the other entry is %s[%d])", path, p.Other)
		}
		if p.Hint != "" {
			reason += "; " + p.Hint
		}
		c.refuse(field, nil, reason)
	}
}

// checkSecretURI checks the form of the URI of a schema registry's secret. It does not show a URI that is not of AWS's
// form, because it may be the secret itself.
func checkSecretURI(c *checker, field, uri string) {
	switch {
	case uri == "":
		c.refuse(field, nil, "is missing: the ARN of the secret")
	case !uriPattern.MatchString(uri):
		c.refuse(field, nil, "has characters beside letters, digits, spaces and - / * : _ + = . @; name the secret here, do not write it")
	case c.strict && utf8.RuneCountInString(uri) > 200:
		c.refuse(field, nil, "has more than 200 characters, which AWS does not allow")
	}
}
