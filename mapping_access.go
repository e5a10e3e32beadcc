package esm

import (
	"fmt"
	"unicode/utf8"
)

// SourceAccessConfiguration names one secret, or one network resource, with which to reach the cluster.
type SourceAccessConfiguration struct {
	Type SourceAccessType `json:"Type,omitempty"`
	URI  string           `json:"URI,omitempty"`
}

// SourceAccessType says what a SourceAccessConfiguration is.
type SourceAccessType string

// sourceAccessTypes are AWS's types for self-managed Kafka; true for those with a URI.
var sourceAccessTypes = map[SourceAccessType]bool{
	"BASIC_AUTH":                  true,
	"SASL_SCRAM_256_AUTH":         true,
	"SASL_SCRAM_512_AUTH":         true,
	"CLIENT_CERTIFICATE_TLS_AUTH": true,
	"SERVER_ROOT_CA_CERTIFICATE":  true,
	"VPC_SUBNET":                  true,
	"VPC_SECURITY_GROUP":          true,
	"OAUTHBEARER_AUTH":            true,
	"OAUTHBEARER_SCOPE":           true,
	"OAUTHBEARER_AUDIENCE":        true,
	"OAUTHBEARER_LOGICAL_CLUSTER": true,
	"OAUTHBEARER_IDENTITY_POOL":   true,
	"IAM_AUTH":                    false,
	"IAM_OAUTHBEARER_AUTH":        false,
}

// checkSourceAccess checks the form of SourceAccessConfigurations: what each element is by itself. Which of them go
// together, and which are supported, is package auth's to say; this is the place to ask it.
func checkSourceAccess(c *checker, path string, configs []SourceAccessConfiguration) {
	if c.strict {
		if len(configs) == 0 {
			c.refuse(path, nil, "Required 'sourceAccessConfigurations' parameter is missing. "+
				"AWS wants at least the VPC_SUBNET and VPC_SECURITY_GROUP entries where brokers need no authentication")
		}
		if len(configs) > 23 {
			c.refuse(path, len(configs), "AWS allows 23 elements")
		}
	}
	for i, config := range configs {
		field := fmt.Sprintf("%s[%d]", path, i)
		hasURI, known := sourceAccessTypes[config.Type]
		switch {
		case config.Type == "":
			c.refuse(field+".Type", nil, "is missing, for example SASL_SCRAM_512_AUTH")
		case !known:
			c.refuse(field+".Type", string(config.Type), "is not a SourceAccessType of self-managed Kafka, for example SASL_SCRAM_512_AUTH")
		case hasURI:
			checkSecretURI(c, field+".URI", config.URI)
		case config.URI != "":
			c.refuse(field+".URI", nil, string(config.Type)+" has no URI; leave it out")
		}
	}
}

// checkSecretURI checks the form of a URI. It shows none that is not of AWS's form: somebody may have written the
// secret itself.
func checkSecretURI(c *checker, field, uri string) {
	switch {
	case uri == "":
		c.refuse(field, nil, "is missing: the ARN of the secret, or of the network resource")
	case !uriPattern.MatchString(uri):
		c.refuse(field, nil, "has characters beside letters, digits, spaces and - / * : _ + = . @; name the secret here, do not write it")
	case c.strict && utf8.RuneCountInString(uri) > 200:
		c.refuse(field, nil, "has more than 200 characters, which AWS does not allow")
	}
}
