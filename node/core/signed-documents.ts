/**
 * What operators sign: the bytes of the genesis and of statements, and who must have signed.
 *
 * Invariant: the bytes begin with the kind of document and its format, so that a signature of one kind is never valid
 * for another, and contain the federation's id, so that it is valid in one federation only. Golden values hold them.
 * Ed25519 itself (RFC 8032) is handed in: cryptography is not this code's business.
 */
import { canonicalJson } from './canonical-json.ts'
import type { ClusterMap, Operator } from './cluster-map.ts'
import type { Statement } from './registry-types.ts'

/** Whether `signatureHex` is the Ed25519 signature of `bytes` by the key; false, not thrown, for malformed input. */
export type VerifySignature = (publicKeyHex: string, bytes: Uint8Array, signatureHex: string) => boolean

const encoder = new TextEncoder()

/** What every founding operator signs: `bundescloud genesis 1`, a line feed, the map as canonical JSON. */
export function genesisBytes(map: ClusterMap): Uint8Array {
  return encoder.encode(`bundescloud genesis 1\n${canonicalJson(map)}`)
}

/** What operators sign to change the membership: `bundescloud statement 1`, a line feed, the statement as canonical JSON. */
export function statementBytes(statement: Statement): Uint8Array {
  return encoder.encode(`bundescloud statement 1\n${canonicalJson(statement)}`)
}

/**
 * The operators whose signatures hold, or what is wrong: one signature that does not hold spoils the document.
 *
 * @param signatures operatorId -> signature (hex)
 */
export function signersOf(
  signed: { bytes: Uint8Array; signatures: Readonly<Record<string, string>> },
  operators: readonly Operator[],
  verify: VerifySignature,
): { signers: ReadonlySet<string> } | { wrong: string } {
  const signers = new Set<string>()
  for (const [operatorId, signature] of Object.entries(signed.signatures)) {
    const operator = operators.find((candidate) => candidate.operatorId === operatorId)
    if (operator === undefined) return { wrong: `signed by ${operatorId}, which is no operator` }
    if (!verify(operator.publicKey, signed.bytes, signature)) {
      return { wrong: `the signature of ${operatorId} does not hold` }
    }
    signers.add(operatorId)
  }
  return { signers }
}

/** More than half of the operators. */
export function isMajority(signers: ReadonlySet<string>, operators: readonly Operator[]): boolean {
  return signers.size * 2 > operators.length
}
