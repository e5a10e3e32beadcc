#!/bin/sh
# Writes one encrypted key for every PBE algorithm that OpenSSL 3 can write,
# all of the same key, plain.pem. The password is in the file's name where it
# is not pass1234. See ../README.md.
set -eu
cd "$(dirname "$0")"
p() { openssl pkcs8 -topk8 -in plain.pem -provider default -provider legacy "$@"; }

openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out plain.pem
for a in PBE-MD5-DES PBE-SHA1-DES PBE-MD5-RC2-64 PBE-SHA1-RC2-64 PBE-SHA1-RC4-128 \
	PBE-SHA1-RC4-40 PBE-SHA1-3DES PBE-SHA1-2DES PBE-SHA1-RC2-128 PBE-SHA1-RC2-40; do
	p -v1 "$a" -passout pass:pass1234 -out "pbes1-$a.pem"
done
for c in aes-128-cbc aes-192-cbc aes-256-cbc des3 des-cbc rc2-cbc rc2-64-cbc rc2-40-cbc; do
	p -v2 "$c" -passout pass:pass1234 -out "pbes2-$c.pem"
done
for h in hmacWithMD5 hmacWithSHA1 hmacWithSHA224 hmacWithSHA256 hmacWithSHA384 hmacWithSHA512 \
	hmacWithSHA512-224 hmacWithSHA512-256; do
	p -v2 aes-256-cbc -v2prf "$h" -passout pass:pass1234 -out "pbes2-$h.pem"
done
p -scrypt -passout pass:pass1234 -out pbes2-scrypt.pem
p -v1 PBE-SHA1-3DES -passout 'pass:pässwörd€😀' -out pbes1-PBE-SHA1-3DES-unicode.pem
p -v2 aes-256-cbc -passout 'pass:pässwörd€😀' -out pbes2-aes-256-cbc-unicode.pem
p -v1 PBE-SHA1-3DES -passout pass: -out pbes1-PBE-SHA1-3DES-empty.pem
p -v1 PBE-SHA1-RC4-128 -passout pass: -out pbes1-PBE-SHA1-RC4-128-empty.pem
p -v2 aes-256-cbc -passout pass: -out pbes2-aes-256-cbc-empty.pem
