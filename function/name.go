package function

import (
	"fmt"
	"regexp"
	"strings"
)

// Name is a parsed FunctionName. Parts missing from the text are empty.
type Name struct {
	// Partition is "aws", "aws-cn" …; Region and Account are those of an ARN.
	Partition, Region, Account string
	// Function is the bare name.
	Function string
	// Qualifier is a version, an alias or $LATEST.
	Qualifier string
}

var namePattern = regexp.MustCompile(`^(?:(?:arn:(aws[a-zA-Z-]*):lambda:)?((?:eusc-)?[a-z]{2}(?:-[a-z]+)+-\d):)?(?:(\d{12}):)?(function:)?([a-zA-Z0-9-_.]+)(?::(\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9-_]+))?$`)

// ParseName reads a FunctionName in any of Lambda's forms: a name ("orders"), a partial ARN
// ("123456789012:function:orders") or an ARN ("arn:aws:lambda:eu-west-1:123456789012:function:orders"), each with or
// without a qualifier.
func ParseName(s string) (Name, error) {
	wrong := func(reason string) (Name, error) {
		return Name{}, fmt.Errorf("function: FunctionName %q %s: want a name, 123456789012:function:name or arn:aws:lambda:region:123456789012:function:name, with :version or :alias where there is one", clip(s, 300), reason)
	}
	switch {
	case s == "":
		return wrong("is empty")
	case len(s) > 256:
		return wrong("is longer than 256 characters")
	case strings.HasPrefix(s, "arn:"):
		part := strings.SplitN(s, ":", 7)
		if len(part) > 2 && part[2] != "lambda" {
			return wrong("is an ARN of " + part[2] + ", not of Lambda")
		}
		if len(part) > 5 && part[5] != "function" {
			return wrong("is an ARN of a Lambda " + part[5] + ", not of a function")
		}
		if len(part) < 7 {
			return wrong("is not a whole ARN")
		}
	}
	m := namePattern.FindStringSubmatch(s)
	if m == nil {
		return wrong("is not a function's name")
	}
	n := Name{Partition: m[1], Region: m[2], Account: m[3], Function: m[5], Qualifier: m[6]}
	if (n.Region != "" || n.Account != "") && m[4] == "" || n.Partition != "" && n.Account == "" {
		return wrong("is not a function's name")
	}
	if len(n.Function) > 64 && m[4] == "" && n.Account == "" {
		return wrong("has a name longer than 64 characters")
	}
	return n, nil
}

// String returns the ARN if all its parts are known, else the partial ARN or the name.
func (n Name) String() string {
	s := n.Function
	if n.Account != "" {
		s = n.Account + ":function:" + s
		if n.Region != "" && n.Partition != "" {
			s = "arn:" + n.Partition + ":lambda:" + n.Region + ":" + s
		}
	}
	if n.Qualifier != "" {
		s += ":" + n.Qualifier
	}
	return s
}

// ARN returns an ARN for the function. Missing parts get the values that local tools use: region us-east-1, account
// 000000000000. The function sees it as its invoked function ARN.
func (n Name) ARN() string {
	n.Partition, n.Region, n.Account = or(n.Partition, "aws"), or(n.Region, "us-east-1"), or(n.Account, "000000000000")
	return n.String()
}

// version returns the qualifier, with $LATEST treated as none.
func (n Name) version() string {
	if n.Qualifier == "$LATEST" {
		return ""
	}
	return n.Qualifier
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
