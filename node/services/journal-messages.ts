/**
 * Payloads of `sign-journal` between the replicas of a group: one format byte, then JSON.
 *
 * Invariant: decoding gives a typed value or throws BadMessage; nothing of a peer is trusted beyond its shape.
 * Fields are append-only, unknown ones are ignored.
 */
import { type JournalManifest, journalLimits } from '../core/journal.ts'
import { ClusterError } from '../errors.ts'

const format = 1

/** What a replica holds: its newest journal, the batches stored in it and those that it signed beyond them. */
export interface JournalPosition {
  readonly manifest: JournalManifest
  readonly stored: number
  /** Last Raft index of each signed batch behind the stored ones. */
  readonly pending: readonly number[]
}

export type JournalRequest =
  /** A new leader asks for promises: what have you signed, and sign nothing for an older leader from now on. */
  | { readonly kind: 'collect'; readonly term: number }
  /** What have you stored behind this position? `sequence` -1: everything. */
  | { readonly kind: 'history'; readonly sequence: number; readonly batches: number }
  /** The leader of `term` asks to sign batches `start`.. of a journal, or only to store what is co-signed. */
  | {
      readonly kind: 'sign'
      readonly term: number
      readonly manifest: JournalManifest
      /** Batches that the leader has stored; `certificate` carries their head. */
      readonly start: number
      readonly certificate: string | undefined
      /** Last Raft index of each batch from `start` on; empty: nothing to sign. */
      readonly lastIndexes: readonly number[]
    }

/** Why a replica does not sign. behind: it fetches history now. lagging: its log is not committed that far yet. */
export const refusals = [
  'fenced',
  'not-leader',
  'behind',
  'lagging',
  'conflict',
  'fork',
  'signers',
  'unready',
] as const
export type Refusal = (typeof refusals)[number]

/** A stored journal; `lastIndexes` are those of its batches from `start` on, absent when they are too many. */
export interface JournalHistory {
  readonly manifest: JournalManifest
  readonly stored: number
  readonly certificate: string
  readonly start: number
  readonly lastIndexes: readonly number[] | undefined
}

export type JournalReply =
  | { readonly kind: 'promise'; readonly position: JournalPosition | undefined }
  | { readonly kind: 'history'; readonly journals: readonly JournalHistory[] }
  | { readonly kind: 'signature'; readonly signature: string }
  | { readonly kind: 'stored' }
  | { readonly kind: 'refused'; readonly why: Refusal; readonly detail: string }

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeMessage(message: JournalRequest | JournalReply): Uint8Array {
  const text = encoder.encode(JSON.stringify(message))
  const bytes = new Uint8Array(text.byteLength + 1)
  bytes[0] = format
  bytes.set(text, 1)
  return bytes
}

/** Throws BadMessage. */
export function decodeRequest(bytes: Uint8Array): JournalRequest {
  const value = parse(bytes)
  switch (value.kind) {
    case 'collect':
      return { kind: 'collect', term: count(value.term) }
    case 'history':
      return {
        kind: 'history',
        sequence: value.sequence === -1 ? -1 : count(value.sequence),
        batches: count(value.batches),
      }
    case 'sign':
      return {
        kind: 'sign',
        term: count(value.term),
        manifest: decodeManifest(value.manifest),
        start: count(value.start),
        certificate: optional(value.certificate, hex),
        lastIndexes: list(value.lastIndexes, count, journalLimits.pendingBatchesMax),
      }
    default:
      throw bad(`unknown request ${String(value.kind)}`)
  }
}

/** Throws BadMessage. */
export function decodeReply(bytes: Uint8Array): JournalReply {
  const value = parse(bytes)
  switch (value.kind) {
    case 'promise':
      return { kind: 'promise', position: optional(value.position, decodePosition) }
    case 'history':
      return {
        kind: 'history',
        journals: list(value.journals, decodeHistory, journalLimits.historyJournalsMax),
      }
    case 'signature':
      return { kind: 'signature', signature: hex(value.signature) }
    case 'stored':
      return { kind: 'stored' }
    case 'refused': {
      const why = refusals.find((known) => known === value.why)
      return { kind: 'refused', why: why ?? 'unready', detail: String(value.detail ?? '').slice(0, 200) }
    }
    default:
      throw bad(`unknown reply ${String(value.kind)}`)
  }
}

/** Reads a manifest from JSON, of a peer or of a row. Throws BadMessage. */
export function decodeManifest(value: unknown): JournalManifest {
  const fields = record(value)
  const signers = list(fields.signers, (one) => hex(one, 32), 64)
  return {
    groupId: text(fields.groupId),
    term: count(fields.term),
    sequence: count(fields.sequence),
    firstIndex: count(fields.firstIndex),
    signers,
    quorum: count(fields.quorum),
    previous: optional(fields.previous, (link) => {
      const { key, length, treeHash } = record(link)
      return { key: hex(key, 32), length: count(length), treeHash: hex(treeHash, 32) }
    }),
  }
}

function decodePosition(value: unknown): JournalPosition {
  const fields = record(value)
  return {
    manifest: decodeManifest(fields.manifest),
    stored: count(fields.stored),
    pending: list(fields.pending, count, journalLimits.pendingBatchesMax),
  }
}

function decodeHistory(value: unknown): JournalHistory {
  const fields = record(value)
  return {
    manifest: decodeManifest(fields.manifest),
    stored: count(fields.stored),
    certificate: hex(fields.certificate),
    start: count(fields.start),
    lastIndexes: optional(fields.lastIndexes, (some) => list(some, count, journalLimits.historyBatchesMax)),
  }
}

function parse(bytes: Uint8Array): Record<string, unknown> {
  if (bytes[0] !== format) throw bad(`unknown format ${String(bytes[0])}`)
  try {
    return record(JSON.parse(decoder.decode(bytes.subarray(1))))
  } catch (cause) {
    if (cause instanceof ClusterError) throw cause
    throw new ClusterError('BadMessage', 'sign-journal: no JSON', { cause })
  }
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('object expected')
  return { ...value }
}

function count(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw bad('unsigned integer expected')
  return value
}

function text(value: unknown): string {
  if (typeof value !== 'string' || value.length > 255) throw bad('short text expected')
  return value
}

function hex(value: unknown, bytes?: number): string {
  if (typeof value !== 'string' || !/^([0-9a-f]{2})*$/.test(value)) throw bad('hex expected')
  if (bytes !== undefined && value.length !== 2 * bytes) throw bad(`${bytes} bytes of hex expected`)
  return value
}

function list<T>(value: unknown, decode: (one: unknown) => T, max: number): T[] {
  if (!Array.isArray(value) || value.length > max) throw bad(`list of at most ${max} expected`)
  return value.map((one) => decode(one))
}

function optional<T>(value: unknown, decode: (one: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : decode(value)
}

function bad(message: string): ClusterError {
  return new ClusterError('BadMessage', `sign-journal: ${message}`)
}
