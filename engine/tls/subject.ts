/** The subject of a request, as `@pulumi/tls` calls its parts. */
export interface Subject {
  readonly commonName?: string;
  readonly country?: string;
  readonly emailAddress?: string;
  readonly locality?: string;
  readonly organization?: string;
  readonly organizationalUnit?: string;
  readonly postalCode?: string;
  readonly province?: string;
  readonly serialNumber?: string;
  readonly streetAddresses?: readonly string[];
}

export const subjectTexts = [
  "commonName",
  "country",
  "emailAddress",
  "locality",
  "organization",
  "organizationalUnit",
  "postalCode",
  "province",
  "serialNumber",
] as const satisfies readonly (keyof Subject)[];

/** A relative distinguished name: values of one attribute. */
export interface NamePart {
  readonly oid: string;
  readonly values: readonly string[];
  /** Written as IA5String; other attributes are PrintableString where that can hold them, else UTF8String. */
  readonly ia5?: boolean;
}

/**
 * The parts of a subject's name in their order. Empty common names and serial numbers are left out, other empty texts
 * are written. Object identifiers: X.520 and PKCS#9 (RFC 2985).
 */
export function nameParts(subject: Subject): NamePart[] {
  const given = (text: string | undefined) => (text === undefined ? [] : [text]);
  const nonEmpty = (text: string | undefined) => (text ? [text] : []);
  const parts: NamePart[] = [
    { oid: "2.5.4.6", values: given(subject.country) },
    { oid: "2.5.4.8", values: given(subject.province) },
    { oid: "2.5.4.7", values: given(subject.locality) },
    { oid: "2.5.4.9", values: subject.streetAddresses ?? [] },
    { oid: "2.5.4.17", values: given(subject.postalCode) },
    { oid: "2.5.4.10", values: given(subject.organization) },
    { oid: "2.5.4.11", values: given(subject.organizationalUnit) },
    { oid: "2.5.4.3", values: nonEmpty(subject.commonName) },
    { oid: "2.5.4.5", values: nonEmpty(subject.serialNumber) },
    { oid: "1.2.840.113549.1.9.1", values: given(subject.emailAddress), ia5: true },
  ];
  return parts.filter(({ values }) => values.length > 0);
}
