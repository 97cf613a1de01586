/** The parts of hyperswarm 4, hyperdht 6 and protomux 3 that discovery uses; written from their sources. */

declare module 'hyperdht' {
  import type { EventEmitter } from 'node:events'
  import type { Duplex } from 'node:stream'

  export interface DhtOptions {
    readonly bootstrap: readonly { readonly host: string; readonly port: number }[]
    /** Address to bind to. */
    readonly host?: string
    readonly port?: number
    /** Whether another port may be taken when that one is in use. */
    readonly anyPort?: boolean
    readonly firewalled?: boolean
    readonly ephemeral?: boolean
  }
  class HyperDHT extends EventEmitter {
    constructor(options: DhtOptions)
    static bootstrapper(port: number, host: string, options?: Partial<DhtOptions>): HyperDHT
    readonly ephemeral: boolean
    connect(publicKey: Buffer, options: object): Duplex
    ready(): Promise<void>
    address(): { readonly host: string; readonly port: number }
    toArray(): readonly { readonly host: string; readonly port: number }[]
    destroy(options?: { force?: boolean }): Promise<void>
  }

  export { HyperDHT as default }
}

declare module 'hyperswarm' {
  import type { EventEmitter } from 'node:events'
  import type { Duplex } from 'node:stream'
  import type HyperDHT from 'hyperdht'

  export interface PeerInfo {
    readonly publicKey: Buffer
    ban(banned: boolean): void
  }
  export interface PeerDiscovery {
    refresh(): Promise<boolean>
    destroy(): Promise<void>
  }
  export interface SwarmStream extends Duplex {
    readonly remotePublicKey: Buffer
  }
  class Hyperswarm extends EventEmitter<{
    connection: [stream: SwarmStream, peer: PeerInfo]
    ban: [peer: PeerInfo, error: Error]
    update: []
  }> {
    constructor(options: {
      keyPair: { readonly publicKey: Buffer; readonly secretKey: Buffer }
      dht: HyperDHT
      firewall: (remotePublicKey: Buffer) => boolean
      maxPeers?: number
      maxParallel?: number
    })
    readonly peers: Map<string, PeerInfo>
    readonly connections: Set<SwarmStream>
    join(topic: Buffer, options: { server: boolean; client: boolean }): PeerDiscovery
    destroy(options?: { force?: boolean }): Promise<void>
  }

  export { Hyperswarm as default }
}

declare module 'protomux' {
  import type { Duplex } from 'node:stream'

  export interface Message {
    send(bytes: Uint8Array): boolean
  }
  export interface Channel {
    readonly closed: boolean
    addMessage(options: { onmessage: (bytes: Buffer) => void }): Message
    open(): void
    close(): void
  }
  class Protomux {
    static from(stream: Duplex): Protomux
    /** Calls `notify` when the other end opens a channel that is not open here. */
    pair(channel: { protocol: string; id?: Buffer }, notify: () => void): void
    /** Null when the stream is gone or the channel is open already. */
    createChannel(options: {
      protocol: string
      id?: Buffer
      unique?: boolean
      onclose?: () => void
    }): Channel | null
  }

  export { Protomux as default }
}
