package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// certRequest is tls.CertRequest with a common name and an organization.
var certRequest = kind{
	inputs:   []resource.PropertyKey{"privateKeyPem", "subject"},
	check:    checkCertRequest,
	complete: func(properties resource.PropertyMap) resource.PropertyMap { return properties.Copy() },
	create:   createCertRequest,
}

const unreadableKey = "must be one RSA or ECDSA key in PEM (RSA PRIVATE KEY, EC PRIVATE KEY or PRIVATE KEY), not encrypted"

func checkCertRequest(news resource.PropertyMap) (resource.PropertyMap, []failure) {
	var failures []failure
	given := open(news)
	switch key := given["privateKeyPem"]; {
	case isUnknown(key):
	case !key.IsString():
		failures = append(failures, failure{"privateKeyPem", "is missing, or is not text"})
	default:
		if _, _, err := readKey(key.StringValue()); err != nil {
			failures = append(failures, failure{"privateKeyPem", unreadableKey})
		}
	}
	switch subject := given["subject"]; {
	case isUnknown(subject), subject.IsNull():
	case !subject.IsObject():
		failures = append(failures, failure{"subject", "must be an object"})
	default:
		for _, part := range subject.ObjectValue().StableKeys() {
			value := subject.ObjectValue()[part]
			if part != "commonName" && part != "organization" {
				failures = append(failures, failure{"subject." + string(part), "the stand-in for the tls plugin has commonName and organization alone"})
			} else if !isUnknown(value) && !value.IsString() {
				failures = append(failures, failure{"subject." + string(part), "must be text"})
			}
		}
	}
	inputs := news.Copy()
	if key, given := inputs["privateKeyPem"]; given && !key.IsSecret() {
		inputs["privateKeyPem"] = resource.MakeSecret(key)
	}
	return inputs, failures
}

func createCertRequest(inputs resource.PropertyMap) (resource.PropertyMap, error) {
	given := open(inputs)
	key, algorithm, err := readKey(given["privateKeyPem"].StringValue())
	if err != nil {
		return nil, errors.New("privateKeyPem: " + unreadableKey)
	}
	var subject resource.PropertyMap
	if given["subject"].IsObject() {
		subject = given["subject"].ObjectValue()
	}
	name := pkix.Name{}
	if subject.HasValue("commonName") {
		name.CommonName = subject["commonName"].StringValue()
	}
	if subject.HasValue("organization") {
		name.Organization = []string{subject["organization"].StringValue()}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: name}, key)
	if err != nil {
		return nil, err
	}
	outputs := inputs.Copy()
	outputs["__pulumi_raw_state_delta"] = rawStateDelta(given["subject"].IsObject(), subject)
	outputs["certRequestPem"] = resource.NewProperty(pemOf("CERTIFICATE REQUEST", der))
	outputs["id"] = resource.NewProperty(idOf(der))
	outputs["keyAlgorithm"] = resource.NewProperty(algorithm)
	return outputs, nil
}

// readKey reads one unencrypted RSA or ECDSA key from PEM.
func readKey(text string) (key crypto.Signer, algorithm string, err error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, "", errors.New("there is no PEM block")
	}
	var parsed any
	switch block.Type {
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		return key, "RSA", err
	case *ecdsa.PrivateKey:
		return key, "ECDSA", err
	}
	return nil, "", errors.Join(errors.New("the PEM block holds no RSA or ECDSA key"), err)
}

// rawStateDelta is what the bridge of the released plugin keeps to get from properties to the state of the Terraform provider below
// it: the shape of what was given, and what is null (or an empty block) there because it was not given.
func rawStateDelta(hasSubject bool, subject resource.PropertyMap) resource.PropertyValue {
	absent := func(raw resource.PropertyValue) resource.PropertyValue {
		return resource.MakeSecret(object("replace", object("raw", raw)))
	}
	null := absent(resource.NewNullProperty())
	properties := resource.PropertyMap{
		"dnsNames":    null,
		"ipAddresses": null,
		"uris":        null,
		"subject":     absent(resource.NewProperty([]resource.PropertyValue{})),
	}
	if hasSubject {
		parts := resource.PropertyMap{"streetAddresses": null}
		for _, part := range subjectTexts {
			if !subject.HasValue(part) {
				parts[part] = null
			}
		}
		properties["subject"] = object("plu", object("i", object("obj", resource.NewProperty(resource.PropertyMap{
			"ps":      resource.NewProperty(parts),
			"renamed": object("streetAddresses", resource.NewProperty("street_address")),
		}))))
	}
	return object("obj", object("ps", resource.NewProperty(properties)))
}

var subjectTexts = []resource.PropertyKey{
	"commonName", "country", "emailAddress", "locality", "organization", "organizationalUnit", "postalCode", "province", "serialNumber",
}

func object(key resource.PropertyKey, value resource.PropertyValue) resource.PropertyValue {
	return resource.NewProperty(resource.PropertyMap{key: value})
}
