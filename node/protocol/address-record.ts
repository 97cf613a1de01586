/**
 * Where a member listens, signed by itself: what members tell each other so that they are found.
 *
 * Invariant: the signature covers every other field and the federation, so that a record can pass through any number
 * of hands and be neither changed nor carried into another federation. The signed bytes have a golden file.
 * Leaves to others: whether the key is admitted (address-book.ts), how records travel (member-service.ts, pings).
 */
import { isIP } from 'node:net'

export interface AddressRecord {
  readonly federationId: string
  readonly nodeId: string
  /** IP address or DNS name that peers can dial. */
  readonly host: string
  readonly port: number
  /** Rises with every new address of the node; the greatest counts. */
  readonly sequence: number
}

export interface SignedAddress extends AddressRecord {
  /** Ed25519 by the node's TLS identity over `addressBytes`, hex. */
  readonly signature: string
}

export const addressLimits = {
  /** RFC 1035: longest DNS name. */
  hostCharsMax: 253,
  /** As in the registry. */
  idCharsMax: 128,
} as const

/** The bytes that are signed: one line of purpose and version, one JSON array in fixed order. */
export function addressBytes(record: AddressRecord): Buffer {
  const fields = [record.federationId, record.nodeId, record.host, record.port, record.sequence]
  return Buffer.from(`bundescloud address 1\n${JSON.stringify(fields)}`)
}

/** A record from the network, or undefined when its fields are not what they should be. The signature is not checked. */
export function parseSignedAddress(value: unknown): SignedAddress | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { federationId, nodeId, host, port, sequence, signature } = value as Partial<SignedAddress>
  if (!isId(federationId) || !isId(nodeId) || !isHost(host)) return undefined
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 0) return undefined
  if (typeof signature !== 'string' || !/^[0-9a-f]{128}$/.test(signature)) return undefined
  return { federationId, nodeId, host, port, sequence, signature }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= addressLimits.idCharsMax
}

function isHost(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > addressLimits.hostCharsMax) return false
  return isIP(value) !== 0 || /^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$/.test(value)
}
