/**
 * How the things of a Raft group become bytes: commands, log entries, messages between replicas, small state rows.
 *
 * Every encoding is one version byte followed by one MessagePack value (plain maps, no records). Field names are
 * append-only; a reader ignores what it does not know. Golden files: test/golden/raft-*. Decoded byte arrays are
 * views of the input: whoever decodes hands the buffer over.
 */
import { Packr } from 'msgpackr'
import type { Entry, Member, RaftMessage } from '../core/raft-messages.ts'
import { ClusterError } from '../errors.ts'

/** Format of everything in this file. A change of meaning needs a new number and a reader for the old one. */
const version = 1

/** msgpackr's RESERVE_START_SPACE (its types lack it): leave as many bytes free in front as the low byte says. */
const oneByteInFront = 2048 | 1

const packr = new Packr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' })

/** A command as it was proposed. `requestId` makes a repeated proposal recognisable. */
export interface Command {
  readonly requestId: string
  /** The process that proposed it, as the transport authenticated it; for the journal. */
  readonly actor: string | undefined
  /** Wall clock of the leader that took it, ms; undefined: from before leaders stamped commands. */
  readonly leaderMs: number | undefined
  readonly command: unknown
}

/** A message and the group it belongs to. `epoch` fences off replicas of an earlier incarnation of the group. */
export interface GroupMessage {
  readonly groupId: string
  readonly epoch: number
  readonly message: RaftMessage
}

/** Encodes any plain value: maps, arrays, strings, safe integers, doubles, booleans, null, bytes. */
export function encodeValue(value: unknown): Uint8Array {
  const bytes = packr.pack(value, oneByteInFront)
  bytes[0] = version
  return bytes
}

/**
 * @throws ClusterError BadMessage when the version is unknown or the bytes are not one MessagePack value
 */
export function decodeValue(bytes: Uint8Array): unknown {
  if (bytes[0] !== version) throw new ClusterError('BadMessage', `unknown format version ${bytes[0]}`)
  try {
    return packr.unpack(bytes.subarray(1))
  } catch (cause) {
    throw new ClusterError('BadMessage', 'not a MessagePack value', { cause })
  }
}

export function encodeCommand({ requestId, actor, leaderMs, command }: Command): Uint8Array {
  return encodeValue({
    q: requestId,
    ...(actor === undefined ? {} : { a: actor }),
    ...(leaderMs === undefined ? {} : { t: leaderMs }),
    c: command,
  })
}

export function decodeCommand(bytes: Uint8Array): Command {
  const { q, a, t, c } = asMap(decodeValue(bytes))
  return {
    requestId: asString(q),
    actor: typeof a === 'string' ? a : undefined,
    leaderMs: t === undefined ? undefined : asNumber(t),
    command: c,
  }
}

/** An entry without its index, which its key or its place in an append gives. */
export function encodeEntry(entry: Entry): Uint8Array {
  return encodeValue(packEntry(entry))
}

export function decodeEntry(index: number, bytes: Uint8Array): Entry {
  return unpackEntry(index, decodeValue(bytes))
}

/** A frame of messages for one peer. Bodies are copied once, into the frame. */
export function encodeMessages(messages: readonly GroupMessage[]): Uint8Array {
  return encodeValue(
    messages.map(({ groupId, epoch, message }) => ({
      g: groupId,
      e: epoch,
      m: message.type === 'append' ? { ...message, entries: message.entries.map(packEntry) } : message,
    })),
  )
}

/**
 * @throws ClusterError BadMessage when the frame is not what `encodeMessages` makes; messages of a kind that this
 *   version does not know are left out
 */
export function decodeMessages(bytes: Uint8Array): GroupMessage[] {
  const messages: GroupMessage[] = []
  for (const item of asArray(decodeValue(bytes))) {
    const { g, e, m } = asMap(item)
    const message = unpackMessage(asMap(m))
    if (message !== undefined) messages.push({ groupId: asString(g), epoch: asNumber(e), message })
  }
  return messages
}

const kinds = { command: 0, noop: 1, members: 2 } as const

function packEntry(entry: Entry): unknown {
  switch (entry.kind) {
    case 'command':
      return { t: entry.term, k: kinds.command, d: entry.data }
    case 'noop':
      return { t: entry.term, k: kinds.noop }
    case 'members':
      return { t: entry.term, k: kinds.members, m: entry.members }
  }
}

function unpackEntry(index: number, value: unknown): Entry {
  const { t, k, d, m } = asMap(value)
  const term = asNumber(t)
  if (k === kinds.command) return { kind: 'command', index, term, data: asBytes(d) }
  if (k === kinds.noop) return { kind: 'noop', index, term }
  if (k === kinds.members) return { kind: 'members', index, term, members: asMembers(m) }
  throw new ClusterError('BadMessage', `unknown kind of log entry ${String(k)}`)
}

function unpackMessage(map: Fields): RaftMessage | undefined {
  const envelope = { from: asString(map.from), to: asString(map.to), term: asNumber(map.term) }
  switch (map.type) {
    case 'vote': {
      const { pre, transfer, lastIndex, lastTerm } = map
      const end = { lastIndex: asNumber(lastIndex), lastTerm: asNumber(lastTerm) }
      return { type: 'vote', ...envelope, pre: pre === true, transfer: transfer === true, ...end }
    }
    case 'voteReply':
      return { type: 'voteReply', ...envelope, pre: map.pre === true, granted: map.granted === true }
    case 'append': {
      const prevIndex = asNumber(map.prevIndex)
      const entries = asArray(map.entries).map((entry, at) => unpackEntry(prevIndex + 1 + at, entry))
      const position = { prevIndex, prevTerm: asNumber(map.prevTerm), commit: asNumber(map.commit) }
      return { type: 'append', ...envelope, ...position, entries }
    }
    case 'appendAccepted':
      return { type: 'appendAccepted', ...envelope, match: asNumber(map.match) }
    case 'appendRejected': {
      const hint = { hintIndex: asNumber(map.hintIndex), hintTerm: asNumber(map.hintTerm) }
      return { type: 'appendRejected', ...envelope, prevIndex: asNumber(map.prevIndex), ...hint }
    }
    case 'heartbeat':
      return { type: 'heartbeat', ...envelope, commit: asNumber(map.commit), round: asNumber(map.round) }
    case 'heartbeatReply':
      return { type: 'heartbeatReply', ...envelope, round: asNumber(map.round) }
    case 'timeoutNow':
      return { type: 'timeoutNow', ...envelope }
    case 'snapshot':
      return unpackChunk(envelope, map)
    case 'snapshotReply': {
      const transfer = { transferId: asString(map.transferId), nextChunk: asNumber(map.nextChunk) }
      return { type: 'snapshotReply', ...envelope, ...transfer }
    }
    default:
      return undefined
  }
}

function unpackChunk(envelope: { from: string; to: string; term: number }, map: Fields): RaftMessage {
  const position = asMap(map.position)
  return {
    type: 'snapshot',
    ...envelope,
    position: {
      index: asNumber(position.index),
      term: asNumber(position.term),
      members: asMembers(position.members),
    },
    transferId: asString(map.transferId),
    chunk: asNumber(map.chunk),
    last: map.last === true,
    rows: asArray(map.rows).map((row) => {
      const { key, value } = asMap(row)
      return { key: asString(key), value: asBytes(value) }
    }),
  }
}

type Fields = Readonly<Record<string, unknown>>

export function asMap(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new ClusterError('BadMessage', 'expected a map')
}

export function asString(value: unknown): string {
  if (typeof value === 'string') return value
  throw new ClusterError('BadMessage', 'expected a string')
}

/** Terms, indexes, counts: safe non-negative integers. */
export function asNumber(value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
  throw new ClusterError('BadMessage', 'expected a non-negative integer')
}

export function asMembers(value: unknown): readonly Member[] {
  return asArray(value).map((member) => {
    const { nodeId, learner } = asMap(member)
    return { nodeId: asString(nodeId), learner: learner === true }
  })
}

function asArray(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new ClusterError('BadMessage', 'expected an array')
}

function asBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new ClusterError('BadMessage', 'expected bytes')
}
