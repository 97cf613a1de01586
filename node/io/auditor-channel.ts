/**
 * Tells connected members which journals exist: the protomux channel `bundescloud/journals/1`.
 *
 * Replicas announce manifests; hypercore replication on the same stream brings blocks and heads. Invariant: an
 * announcement is a claim, nothing more: the key follows from the manifest, the blocks prove themselves by a quorum's
 * signatures, and the receiver decides whose. Message: one format byte, then JSON.
 */
import type { Duplex } from 'node:stream'
import Protomux from 'protomux'
import { type JournalManifest, majority } from '../core/journal.ts'
import { decodeUserData, encodeUserData, fromHex, toHex } from '../core/journal-block.ts'
import type { Ledger } from './ledger.ts'

export const auditorChannelLimits = {
  /** Journals in one announcement. */
  journalsMax: 64,
  /** Longest announcement that is read. */
  bytesMax: 256 * 1024,
} as const

const protocol = 'bundescloud/journals/1'
const format = 1

/** Connections to admitted members; `Swarm` of io/swarm.ts. */
export interface JournalConnections {
  onConnection(run: (stream: Duplex, peer: { readonly nodeId: string }) => void): void
}

export interface JournalChannel {
  /** Best effort: a closed channel forgets it. */
  announce(manifests: readonly JournalManifest[]): void
}

/** Opens the channel on a stream. `onJournals` gets what the other side announces, decoded but not judged. */
export function openJournalChannel(
  stream: Duplex,
  handlers: { onJournals: (manifests: JournalManifest[]) => void; onClose: () => void; onBad: () => void },
): JournalChannel | undefined {
  const channel = Protomux.from(stream).createChannel({ protocol, onclose: handlers.onClose })
  if (channel === null) return undefined
  const message = channel.addMessage({
    onmessage: (bytes) => {
      const manifests = decodeAnnouncement(bytes)
      if (manifests === undefined) handlers.onBad()
      else handlers.onJournals(manifests)
    },
  })
  channel.open()
  return {
    announce: (manifests) => {
      for (let at = 0; at < manifests.length; at += auditorChannelLimits.journalsMax) {
        if (channel.closed) return
        message.send(encodeAnnouncement(manifests.slice(at, at + auditorChannelLimits.journalsMax)))
      }
    },
  }
}

/**
 * Makes a replica's journals available to every member: serves them on every connection and announces them, all of
 * them at first, each new one when its first block is co-signed.
 */
export function serveJournals(ledger: Ledger, connections: JournalConnections): () => void {
  const channels = new Set<JournalChannel>()
  const announced = new Set<string>()
  const stop = ledger.onGrowth(({ key, manifest }) => {
    if (announced.has(key)) return
    announced.add(key)
    for (const channel of channels) channel.announce([manifest])
  })
  connections.onConnection((stream) => {
    ledger.replicate(stream)
    const channel = openJournalChannel(stream, {
      onJournals: () => undefined,
      onBad: () => undefined,
      onClose: () => {
        if (channel !== undefined) channels.delete(channel)
      },
    })
    if (channel === undefined) return
    channels.add(channel)
    void announceAll(ledger, channel)
  })
  return stop
}

async function announceAll(ledger: Ledger, channel: JournalChannel): Promise<void> {
  const manifests: JournalManifest[] = []
  try {
    for await (const { manifest } of ledger.list()) manifests.push(manifest)
  } catch {
    // The ledger is being closed; the connection goes with it.
    return
  }
  channel.announce(manifests)
}

export function encodeAnnouncement(manifests: readonly JournalManifest[]): Uint8Array {
  const journals = manifests.map((manifest) => [toHex(encodeUserData(manifest)), ...manifest.signers])
  return Buffer.concat([Buffer.of(format), Buffer.from(JSON.stringify(journals))])
}

/** Reads an announcement of a peer; undefined when it is malformed or too long. */
export function decodeAnnouncement(bytes: Uint8Array): JournalManifest[] | undefined {
  if (bytes[0] !== format || bytes.byteLength > auditorChannelLimits.bytesMax) return undefined
  try {
    const journals: unknown = JSON.parse(Buffer.from(bytes.subarray(1)).toString())
    if (!Array.isArray(journals) || journals.length > auditorChannelLimits.journalsMax) return undefined
    return journals.map(([userData, ...signers]: string[]) => {
      for (const signer of signers) fromHex(signer, 32)
      const decoded = decodeUserData(fromHex(userData ?? '', (userData ?? '').length / 2))
      return { ...decoded, signers, quorum: majority(signers.length) }
    })
  } catch {
    // Whatever does not decode is the peer's fault; the caller counts it.
    return undefined
  }
}
