package auth

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Limits of the AWS API (service model, SourceAccessConfigurations).
const (
	maxConfigurations = 23
	maxURILength      = 200
)

var (
	uriPattern    = regexp.MustCompile(`^[ a-zA-Z0-9\-/*:_+=.@]*$`)
	subnetPattern = regexp.MustCompile(`^(subnet:)?subnet-[0-9a-zA-Z]+$`)
	groupPattern  = regexp.MustCompile(`^(security_group:)?sg-[0-9a-zA-Z]+$`)
)

// Problem describes one thing that is wrong in SourceAccessConfigurations.
type Problem struct {
	// Index is the invalid entry, -1 if the list as a whole is invalid.
	Index int
	// Field is "Type" or "URI", or "" for the whole list.
	Field string
	// Other is the entry that Index conflicts with, -1 if there is none. The conflict is always between the two entries'
	// Type.
	Other int
	// Message says what is wrong, and names both types if two conflict. It quotes no URI that does not have AWS's form: it
	// may be a password.
	Message string
	// Hint says what to do.
	Hint string
	// AWSLimit is true if only AWS would refuse it, and this package would not. A strict validation reports it, a lenient
	// one may leave it out.
	AWSLimit bool
}

// Path returns the field's name from the mapping's root, such as "SourceAccessConfigurations[1].Type".
func (p *Problem) Path() string { return entryPath(p.Index, p.Field) }

// OtherPath returns the path of the conflicting entry, "" for none.
func (p *Problem) OtherPath() string {
	if p.Other < 0 {
		return ""
	}
	return entryPath(p.Other, "Type")
}

// Error names the field or both fields, the problem and what to do.
func (p *Problem) Error() string {
	where := p.Path()
	if other := p.OtherPath(); other != "" {
		where += " and " + other
	}
	text := where + ": " + p.Message
	if p.Hint != "" {
		text += ": " + p.Hint
	}
	return text
}

func entryPath(index int, field string) string {
	path := "SourceAccessConfigurations"
	if index >= 0 {
		path += "[" + strconv.Itoa(index) + "]"
	}
	if field != "" {
		path += "." + field
	}
	return path
}

// ValidateSourceAccess returns everything that is wrong with configs, in their order, nil if nothing is. It reads no
// secret.
//
// It refuses an unknown Type; more than one way to authenticate; more than one SERVER_ROOT_CA_CERTIFICATE; an
// OAUTHBEARER_* option that is given twice or without the type that it belongs to; IAM_OAUTHBEARER_AUTH without its
// audience; and a URI that is missing, does not have AWS's form, or is given for a type that has none. More than 23
// entries and a URI over 200 characters only exceed limits of AWS.
func ValidateSourceAccess(configs []SourceAccessConfiguration) []*Problem {
	var problems []*Problem
	if len(configs) > maxConfigurations {
		problems = append(problems, &Problem{Index: -1, Other: -1, AWSLimit: true,
			Message: fmt.Sprintf("%d entries, AWS allows %d", len(configs), maxConfigurations),
			Hint:    "leave out entries that are not needed"})
	}
	for i, config := range configs {
		problems = append(problems, validateEntry(configs, i, config)...)
	}
	return problems
}

func validateEntry(configs []SourceAccessConfiguration, i int, config SourceAccessConfiguration) []*Problem {
	what := config.Type.traits()
	if what.kind == kindUnknown {
		return []*Problem{unknownType(i, config.Type)}
	}
	var problems []*Problem
	if clash := clashOf(configs, i); clash != nil {
		problems = append(problems, clash)
	}
	if config.Type == IAMOAuthBearerAuth && !slices.ContainsFunc(configs, func(c SourceAccessConfiguration) bool { return c.Type == OAuthBearerAudience }) {
		problems = append(problems, &Problem{Index: i, Field: "Type", Other: -1,
			Message: fmt.Sprintf("%s needs %s, which is not in the list", IAMOAuthBearerAuth, OAuthBearerAudience),
			Hint:    "add it: its URI is the audience that the brokers expect"})
	}
	if what.kind == kindOption {
		if p := ownerOf(configs, i); p != nil {
			problems = append(problems, p)
		}
	}
	return append(problems, validateURI(i, config)...)
}

func unknownType(i int, t SourceAccessType) *Problem {
	p := &Problem{Index: i, Field: "Type", Other: -1}
	switch {
	case t == "":
		p.Message, p.Hint = "is missing", "for example "+string(SASLSCRAM512Auth)
	case t == "VIRTUAL_HOST":
		p.Message, p.Hint = "VIRTUAL_HOST is for RabbitMQ", "leave it out"
	case SourceAccessType(strings.ToUpper(string(t))).traits().kind != kindUnknown:
		p.Message = "is not in AWS's spelling"
		p.Hint = "write it in capitals: " + strings.ToUpper(string(t))
	default:
		p.Message = fmt.Sprintf("%.40q is not a SourceAccessType", string(t))
		p.Hint = "for example " + string(SASLSCRAM512Auth)
	}
	return p
}

// clashOf returns a Problem for the first entry before i that cannot be combined with it.
func clashOf(configs []SourceAccessConfiguration, i int) *Problem {
	mine := configs[i].Type.traits()
	if mine.kind != kindAuth && mine.kind != kindCA && mine.kind != kindOption {
		return nil
	}
	for j, other := range configs[:i] {
		if other.Type.traits().kind != mine.kind || mine.kind == kindOption && other.Type != configs[i].Type {
			continue
		}
		p := &Problem{Index: i, Field: "Type", Other: j}
		switch {
		case mine.kind == kindCA:
			p.Message = fmt.Sprintf("%s is given twice", ServerRootCACertificate)
			p.Hint = "put all CA certificates into one secret, one PEM block after the other"
		case other.Type == configs[i].Type:
			p.Message = fmt.Sprintf("%s is given twice", other.Type)
			p.Hint = "keep one of them"
		default:
			p.Message = fmt.Sprintf("%s and %s are two ways to authenticate", configs[i].Type, other.Type)
			p.Hint = "keep one of them; VPC_* and SERVER_ROOT_CA_CERTIFICATE may be combined with it"
		}
		return p
	}
	return nil
}

// ownerOf checks that an OAuth option comes with the type that it belongs to.
func ownerOf(configs []SourceAccessConfiguration, i int) *Problem {
	option := configs[i].Type
	bearer, iam := -1, -1
	for j, config := range configs {
		switch config.Type {
		case OAuthBearerAuth:
			bearer = j
		case IAMOAuthBearerAuth:
			iam = j
		}
	}
	switch {
	case bearer >= 0, iam >= 0 && option == OAuthBearerAudience:
		return nil
	case iam >= 0:
		return &Problem{Index: i, Field: "Type", Other: iam,
			Message: fmt.Sprintf("%s does not go with %s", option, IAMOAuthBearerAuth),
			Hint:    fmt.Sprintf("of the OAUTHBEARER_* options it accepts only %s", OAuthBearerAudience)}
	default:
		return &Problem{Index: i, Field: "Type", Other: -1,
			Message: fmt.Sprintf("%s needs %s, which is not in the list", option, OAuthBearerAuth),
			Hint:    "leave it out"}
	}
}

func validateURI(i int, config SourceAccessConfiguration) []*Problem {
	problem := func(awsLimit bool, message, hint string) []*Problem {
		return []*Problem{{Index: i, Field: "URI", Other: -1, Message: message, Hint: hint, AWSLimit: awsLimit}}
	}
	uri, t := config.URI, config.Type
	if t == IAMAuth || t == IAMOAuthBearerAuth {
		if uri != "" {
			return problem(false, fmt.Sprintf("%s takes no URI", t), "leave URI out")
		}
		return nil
	}
	switch {
	case uri == "" && t.traits().secret:
		return problem(false, fmt.Sprintf("%s needs the secret's name", t),
			"give the ARN of the secret, or a name that your Secrets know; not the value itself")
	case uri == "":
		return problem(false, fmt.Sprintf("%s needs a URI", t), uriExample(t))
	case strings.TrimSpace(uri) != uri:
		return problem(false, "begins or ends with a space", "remove it")
	case !uriPattern.MatchString(uri):
		return problem(false, "holds characters that a URI here cannot have",
			"letters, digits, spaces and -/*:_+=.@ are allowed; it must name a secret, not be one")
	case t == VPCSubnet && !subnetPattern.MatchString(uri), t == VPCSecurityGroup && !groupPattern.MatchString(uri):
		return problem(false, fmt.Sprintf("is not of the form that %s has", t), uriExample(t))
	case len(uri) > maxURILength:
		return problem(true, fmt.Sprintf("has %d characters, AWS allows %d", len(uri), maxURILength), "use a shorter name")
	}
	return nil
}

func uriExample(t SourceAccessType) string {
	switch t {
	case VPCSubnet:
		return "for example subnet:subnet-0123456789abcdef0"
	case VPCSecurityGroup:
		return "for example security_group:sg-0123456789abcdef0"
	}
	return "give the value that your identity provider expects"
}
