/** The parts of hypercore 11, corestore 7 and hypercore-crypto 3 that the ledger uses; written from their sources. */

declare module 'hypercore-crypto' {
  interface Node {
    readonly index: number
    readonly size: number
    readonly hash: Uint8Array
  }
  const crypto: {
    data(bytes: Uint8Array): Uint8Array
    parent(left: Node, right: Node): Uint8Array
    tree(roots: readonly Node[]): Uint8Array
    verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean
    namespace(name: string, count: number): Uint8Array[]
    discoveryKey(key: Uint8Array): Buffer
  }

  export { crypto as default }
}

declare module 'hypercore' {
  import type { EventEmitter } from 'node:events'

  export interface Signer {
    readonly publicKey: Uint8Array
    readonly namespace?: Uint8Array
    readonly signature?: string
  }
  export interface Manifest {
    readonly version: number
    readonly hash?: string
    readonly allowPatch?: boolean
    readonly quorum: number
    readonly signers: readonly Signer[]
    readonly userData?: Uint8Array | null
    readonly prologue?: unknown
    readonly linked?: readonly Uint8Array[] | null
  }
  export interface TreeNode {
    readonly index: number
    readonly size: number
    readonly hash: Uint8Array
  }
  export interface ReadBatch {
    getTreeNode(index: number): Promise<TreeNode | null>
    getBlock(index: number): Promise<Uint8Array | null>
    getHead(): Promise<Head | null>
    tryFlush(): void
  }
  export interface Head {
    readonly fork: number
    readonly length: number
    readonly rootHash: Uint8Array
    readonly signature: Uint8Array | null
  }
  export interface Range {
    done(): Promise<boolean>
    destroy(error?: Error | null): void
  }
  class Hypercore extends EventEmitter {
    static key(manifest: Manifest): Buffer
    readonly key: Buffer
    readonly discoveryKey: Buffer
    readonly manifest: Manifest | null
    readonly length: number
    readonly contiguousLength: number
    readonly fork: number
    readonly closed: boolean
    readonly state: {
      readonly length: number
      readonly roots: readonly TreeNode[]
      readonly signature: Uint8Array | null
      readonly storage: { read(): ReadBatch }
    }
    readonly core: { readonly replicator: { eagerUpgrade: boolean } }
    ready(): Promise<void>
    close(): Promise<void>
    get(index: number, options?: { wait?: boolean; timeout?: number }): Promise<Buffer | null>
    has(start: number, end?: number): Promise<boolean>
    append(blocks: readonly Uint8Array[], options: { signature: Uint8Array }): Promise<unknown>
    clear(start: number, end?: number): Promise<unknown>
    download(range: { start: number; end: number; linear?: boolean }): Range
    update(options?: { wait?: boolean }): Promise<boolean>
    setActive(active: boolean): void
    session(options?: { active?: boolean }): Hypercore
  }

  export { Hypercore as default }
}

declare module 'corestore' {
  import type { Duplex } from 'node:stream'
  import type Hypercore from 'hypercore'
  import type { Manifest, ReadBatch } from 'hypercore'

  class Corestore {
    constructor(directory: string, options?: { readOnly?: boolean; allowBackup?: boolean })
    readonly storage: {
      readonly db: { flush(): Promise<void> }
      /** Below hypercore: what is stored of a core, null when there is none. */
      resumeCore(discoveryKey: Uint8Array): Promise<{ read(): ReadBatch; close(): Promise<void> } | null>
    }
    ready(): Promise<void>
    close(): Promise<void>
    get(options: { key?: Uint8Array; manifest?: Manifest; active?: boolean }): Hypercore
    list(): AsyncIterable<Buffer>
    getAuth(discoveryKey: Uint8Array): Promise<{ key: Buffer; manifest: Manifest | null } | null>
    replicate(stream: Duplex): unknown
  }

  export { Corestore as default }
}
