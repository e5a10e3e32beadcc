package auth

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf16"
)

// rawName returns the DER of a name with parts, each with its attributes.
func rawName(parts ...[]rawAttribute) []byte {
	sequence := []asn1.RawValue{}
	for _, part := range parts {
		var set []byte
		for _, a := range part {
			set = append(set, must(asn1.Marshal(struct {
				Type  asn1.ObjectIdentifier
				Value asn1.RawValue
			}{a.oid, asn1.RawValue{Tag: a.tag, Bytes: []byte(a.value)}}))...)
		}
		sequence = append(sequence, asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: set})
	}
	return must(asn1.Marshal(sequence))
}

type rawAttribute struct {
	oid   asn1.ObjectIdentifier
	tag   int
	value string
}

var (
	oidCN     = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidOU     = asn1.ObjectIdentifier{2, 5, 4, 11}
	oidO      = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidDC     = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	oidEmail  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	oidSerial = asn1.ObjectIdentifier{2, 5, 4, 5}
	nameOIDs  = []asn1.ObjectIdentifier{oidCN, {2, 5, 4, 6}, {2, 5, 4, 7}, {2, 5, 4, 8}, {2, 5, 4, 9}, oidO, oidOU, oidDC,
		{0, 9, 2342, 19200300, 100, 1, 1}, oidEmail, oidSerial, {2, 5, 4, 4}, {2, 5, 4, 42}, {2, 5, 4, 12}, {2, 5, 4, 46}, {1, 3, 6, 1, 4, 1, 99999, 1}}
)

func bmp(text string) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = append(b, byte(unit>>8), byte(unit))
	}
	return string(b)
}

// generatedNames returns names of every kind that certificates have, and some that none should have.
func generatedNames(n int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"alice", "Zoë", "北京", "😀", " ", "  ", "\r", "\n", "\t", ",", "=", "+", "<", ">", "#", ";", `"`, `\`, "\x00", "/",
		"a,b", "x=y", "CN=eve", "'", "ß", "e\u0301", "\u00a0", "(", ".", ":", "?", "-", "@", "*", "&", "É\u200d", "\u007f", "\u0085"}
	value := func() rawAttribute {
		a := rawAttribute{oid: nameOIDs[random.IntN(len(nameOIDs))], tag: asn1.TagUTF8String}
		var text strings.Builder
		for range random.IntN(6) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		a.value = text.String()
		switch random.IntN(8) {
		case 0:
			a.tag, a.value = asn1.TagPrintableString, "Example Ltd."
		case 1:
			a.tag, a.value = asn1.TagIA5String, " alice@example.com"
		case 2:
			a.tag, a.value = asn1.TagT61String, "Z\xfcrich\xe9\x80"
		case 3:
			a.tag, a.value = asn1.TagBMPString, bmp(a.value)
		case 4:
			a.tag, a.value = asn1.TagNumericString, "12 34"
		case 5:
			bytes := make([]byte, random.IntN(9))
			for i := range bytes {
				bytes[i] = byte(random.UintN(256))
			}
			a.tag, a.value = asn1.TagT61String, string(bytes)
		}
		return a
	}
	all := [][]byte{rawName(),
		rawName([]rawAttribute{{oidDC, asn1.TagIA5String, "com"}}, []rawAttribute{{oidDC, asn1.TagIA5String, "example"}}, []rawAttribute{{oidOU, asn1.TagUTF8String, "a"}},
			[]rawAttribute{{oidOU, asn1.TagUTF8String, "b"}}, []rawAttribute{{oidCN, asn1.TagUTF8String, "alice"}}, []rawAttribute{{oidEmail, asn1.TagIA5String, "a@b.c"}})}
	for len(all) < n {
		parts := make([][]rawAttribute, 1+random.IntN(6))
		for i := range parts {
			for range 1 + random.IntN(4)/3*(1+random.IntN(2)) {
				parts[i] = append(parts[i], value())
			}
		}
		all = append(all, rawName(parts...))
	}
	return all
}

// java runs a program of testdata/java. It skips the test if there is no JDK.
func java(t *testing.T, program, stdin string) string {
	t.Helper()
	command := exec.Command("java", "testdata/java/"+program+".java")
	command.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("a JDK is wanted with CI=true: %v: %s", err, stderr.String())
		}
		t.Skipf("no JDK (java FILE.java) works here: %v: %s", err, stderr.String())
	}
	return string(out)
}

// A certificate's name equals the one that the JDK, and therefore Kafka, prints.
func TestDistinguishedNameIsJavas(t *testing.T) {
	names := generatedNames(600)
	var in strings.Builder
	for _, name := range names {
		in.WriteString(hex.EncodeToString(name) + "\n")
	}
	lines := strings.Split(strings.TrimSuffix(java(t, "Names", in.String()), "\n"), "\n")
	if len(lines) != len(names) {
		t.Fatalf("the JDK printed %d names of %d", len(lines), len(names))
	}
	for i, name := range names {
		want := string(must(base64.StdEncoding.DecodeString(strings.TrimSpace(lines[i]))))
		if got := distinguishedName(name); got != want {
			t.Errorf("%x\n got %q\nwant %q", name, got, want)
		}
	}
}

// Data that is not a name is still printed.
func TestDistinguishedNameOfDamage(t *testing.T) {
	whole := rawName([]rawAttribute{{oidCN, asn1.TagUTF8String, "alice"}})
	for i := range whole {
		if got := distinguishedName(whole[:i]); got != "#"+hex.EncodeToString(whole[:i]) {
			t.Errorf("%x is printed as %q", whole[:i], got)
		}
	}
	if got := distinguishedName(whole); got != "CN=alice" {
		t.Errorf("%q", got)
	}
}
