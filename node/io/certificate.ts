/**
 * The X.509 certificate that carries a node's Ed25519 key through TLS.
 *
 * It is self-signed, made anew at every start and never stored: peers look at nothing but its public key, which
 * the registry knows (pinning). Names and validity in it have no meaning; it does not expire, so that no clock can
 * take a node out of the federation. Leaves to others: which keys are admitted.
 *
 * Sources: RFC 5280 (certificate, 4.1.2.5 for "no well-defined expiration date"), RFC 8410 (Ed25519), X.690 (DER).
 */
import { randomBytes, sign, X509Certificate } from 'node:crypto'
import { type KeyPair, rawPublicKey } from './identity.ts'

/** DER tags of the few types that a certificate of this kind needs. */
const tags = {
  integer: 0x02,
  bitString: 0x03,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  explicit0: 0xa0,
} as const

const ed25519Oid = Buffer.from('2b6570', 'hex')
const commonNameOid = Buffer.from('550403', 'hex')

/**
 * A self-signed certificate (PEM) of `keyPair`; `commonName` (1 to 64 characters) is only for people who look at
 * a capture.
 */
export function selfSignedCertificate(keyPair: KeyPair, commonName: string): string {
  if (commonName.length < 1 || commonName.length > 64) throw new Error('a common name has 1 to 64 characters')
  const algorithm = der(tags.sequence, der(tags.oid, ed25519Oid))
  const name = der(
    tags.sequence,
    der(
      tags.set,
      der(tags.sequence, der(tags.oid, commonNameOid), der(tags.utf8String, Buffer.from(commonName))),
    ),
  )
  const validity = der(
    tags.sequence,
    der(tags.utcTime, Buffer.from('200101000000Z')),
    der(tags.generalizedTime, Buffer.from('99991231235959Z')),
  )
  const publicKey = der(tags.sequence, algorithm, bitString(Buffer.from(keyPair.publicKey, 'hex')))
  const body = der(
    tags.sequence,
    der(tags.explicit0, der(tags.integer, Buffer.from([2]))),
    der(tags.integer, serialNumber()),
    algorithm,
    name,
    validity,
    name,
    publicKey,
  )
  const signature = sign(null, body, keyPair.privateKey)
  const certificate = der(tags.sequence, body, algorithm, bitString(signature))
  return new X509Certificate(certificate).toString()
}

/** The raw Ed25519 key (hex) in a peer's certificate, undefined when its key is of another type. */
export function certificateKey(certificate: X509Certificate): string | undefined {
  return rawPublicKey(certificate.publicKey)
}

/** Positive and without a leading zero byte, as DER wants it. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes
}

function bitString(bytes: Uint8Array): Buffer {
  return der(tags.bitString, Buffer.from([0]), bytes)
}

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  const head =
    content.length < 0x80
      ? [tag, content.length]
      : content.length < 0x100
        ? [tag, 0x81, content.length]
        : [tag, 0x82, content.length >> 8, content.length & 0xff]
  return Buffer.concat([Buffer.from(head), content])
}
