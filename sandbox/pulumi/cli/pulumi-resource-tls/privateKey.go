package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"golang.org/x/crypto/ssh"
)

// Sizes of RSA keys in bits: API servers accept none that are smaller, and larger ones take minutes to generate.
const minRSABits, maxRSABits = 1024, 16384

var curves = map[string]elliptic.Curve{
	"P224": elliptic.P224(),
	"P256": elliptic.P256(),
	"P384": elliptic.P384(),
	"P521": elliptic.P521(),
}

// privateKey is tls.PrivateKey for RSA and ECDSA keys.
var privateKey = kind{
	inputs:   []resource.PropertyKey{"algorithm", "rsaBits", "ecdsaCurve"},
	check:    checkPrivateKey,
	complete: completePrivateKey,
	create:   createPrivateKey,
}

// completePrivateKey adds both defaults whatever the algorithm is, as the released plugin does.
func completePrivateKey(properties resource.PropertyMap) resource.PropertyMap {
	complete := properties.Copy()
	if !complete.HasValue("rsaBits") {
		complete["rsaBits"] = resource.NewProperty(2048.0)
	}
	if !complete.HasValue("ecdsaCurve") {
		complete["ecdsaCurve"] = resource.NewProperty("P224")
	}
	return complete
}

func checkPrivateKey(news resource.PropertyMap) (resource.PropertyMap, []failure) {
	var failures []failure
	given := completePrivateKey(open(news))
	if algorithm := given["algorithm"]; !isUnknown(algorithm) {
		if !algorithm.IsString() || (algorithm.StringValue() != "RSA" && algorithm.StringValue() != "ECDSA") {
			failures = append(failures, failure{"algorithm", "must be RSA or ECDSA; the stand-in for the tls plugin has no other"})
		}
	}
	if curve := given["ecdsaCurve"]; !isUnknown(curve) {
		if !curve.IsString() || curves[curve.StringValue()] == nil {
			failures = append(failures, failure{"ecdsaCurve", "must be P224, P256, P384 or P521"})
		}
	}
	if bits := given["rsaBits"]; !isUnknown(bits) {
		valid := bits.IsNumber() && bits.NumberValue() == float64(int(bits.NumberValue())) &&
			bits.NumberValue() >= minRSABits && bits.NumberValue() <= maxRSABits
		if !valid {
			failures = append(failures, failure{"rsaBits", fmt.Sprintf("must be a whole number from %d to %d", minRSABits, maxRSABits)})
		}
	}
	return news, failures
}

func createPrivateKey(inputs resource.PropertyMap) (resource.PropertyMap, error) {
	outputs := completePrivateKey(inputs)
	given := open(outputs)
	key, traditional, err := generate(given)
	if err != nil {
		return nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, err
	}
	openssh, err := opensshOf(key)
	if err != nil {
		return nil, err
	}
	// The version of the released plugin's schema: without it, that plugin would upgrade the state that it finds.
	outputs["__meta"] = resource.NewProperty(`{"schema_version":"1"}`)
	outputs["__pulumi_raw_state_delta"] = resource.NewProperty(resource.PropertyMap{"obj": resource.NewProperty(resource.PropertyMap{})})
	outputs["id"] = resource.NewProperty(idOf(spki))
	outputs["privateKeyPem"] = secret(traditional)
	outputs["privateKeyPemPkcs8"] = secret(pemOf("PRIVATE KEY", pkcs8))
	outputs["privateKeyOpenssh"] = secret(openssh.privateKey)
	outputs["publicKeyOpenssh"] = resource.NewProperty(openssh.publicKey)
	outputs["publicKeyFingerprintMd5"] = resource.NewProperty(openssh.md5)
	outputs["publicKeyFingerprintSha256"] = resource.NewProperty(openssh.sha256)
	outputs["publicKeyPem"] = resource.NewProperty(pemOf("PUBLIC KEY", spki))
	return outputs, nil
}

// generate returns a new key and its PKCS #1 or SEC 1 form.
func generate(given resource.PropertyMap) (crypto.Signer, string, error) {
	if given["algorithm"].StringValue() == "RSA" {
		key, err := rsa.GenerateKey(rand.Reader, int(given["rsaBits"].NumberValue()))
		if err != nil {
			return nil, "", err
		}
		return key, pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)), nil
	}
	key, err := ecdsa.GenerateKey(curves[given["ecdsaCurve"].StringValue()], rand.Reader)
	if err != nil {
		return nil, "", err
	}
	der, err := x509.MarshalECPrivateKey(key)
	return key, pemOf("EC PRIVATE KEY", der), err
}

type opensshKey struct{ privateKey, publicKey, md5, sha256 string }

// opensshOf returns empty strings for a curve that OpenSSH does not have (RFC 5656, section 10.1).
func opensshOf(key crypto.Signer) (opensshKey, error) {
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		return opensshKey{}, nil
	}
	private, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return opensshKey{}, err
	}
	return opensshKey{
		privateKey: string(pem.EncodeToMemory(private)),
		publicKey:  string(ssh.MarshalAuthorizedKey(public)),
		md5:        ssh.FingerprintLegacyMD5(public),
		sha256:     ssh.FingerprintSHA256(public),
	}, nil
}

// idOf returns the SHA-1 of a DER in hexadecimal. The released plugin trims the DER as if it were text before it hashes it.
func idOf(der []byte) string {
	sum := sha1.Sum([]byte(strings.TrimSpace(string(der))))
	return hex.EncodeToString(sum[:])
}

func pemOf(label string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der}))
}

func isUnknown(value resource.PropertyValue) bool {
	return value.ContainsUnknowns()
}
