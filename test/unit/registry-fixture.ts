/** A federation of three operators with real Ed25519 keys made from fixed seeds, and builders of registry commands. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import type { ClusterMap, MapNode } from '../../node/core/cluster-map.ts'
import { registryMachine } from '../../node/core/registry.ts'
import type { Bucket, Genesis, RegistryCommand, Statement } from '../../node/core/registry-types.ts'
import { genesisBytes, statementBytes, type VerifySignature } from '../../node/core/signed-documents.ts'
import { slotCount } from '../../node/core/slots.ts'
import { Driver } from './row-fixture.ts'

const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex')
const spki = Buffer.from('302a300506032b6570032100', 'hex')

/** The key whose 32 secret bytes are all `seed`. */
function privateKey(seed: number): KeyObject {
  return createPrivateKey({
    key: Buffer.concat([pkcs8, Buffer.alloc(32, seed)]),
    format: 'der',
    type: 'pkcs8',
  })
}

export function publicKeyOf(seed: number): string {
  return createPublicKey(privateKey(seed))
    .export({ format: 'der', type: 'spki' })
    .subarray(-32)
    .toString('hex')
}

export const ed25519: VerifySignature = (publicKeyHex, bytes, signatureHex) => {
  const key = createPublicKey({
    key: Buffer.concat([spki, Buffer.from(publicKeyHex, 'hex')]),
    format: 'der',
    type: 'spki',
  })
  return verify(null, bytes, key, Buffer.from(signatureHex, 'hex'))
}

const operatorSeeds = { bund: 1, by: 2, nw: 3 } as const
export type OperatorName = keyof typeof operatorSeeds

export function signature(operator: OperatorName, bytes: Uint8Array): string {
  return sign(null, bytes, privateKey(operatorSeeds[operator])).toString('hex')
}

/** `seed`: of its key; its journal's key is the next one. */
export function registryNode(nodeId: string, seed: number, extra: Partial<MapNode> = {}): MapNode {
  return {
    nodeId,
    operatorId: nodeId.split('-')[0] ?? '',
    site: `${nodeId.split('-')[0]}-site`,
    roles: ['catalog', 'shard', 'witness'],
    publicKey: publicKeyOf(seed),
    journalKey: publicKeyOf(seed + 1),
    capacityBytes: 1000,
    state: 'active',
    ...extra,
  }
}

const members = ['bund-1', 'by-1', 'nw-1'].map((nodeId) => ({ nodeId, learner: false }))

export const foundingMap: ClusterMap = {
  federationId: 'f00d',
  epoch: 1,
  operators: (['bund', 'by', 'nw'] as const).map((operatorId) => ({
    operatorId,
    name: `Operator ${operatorId}`,
    publicKey: publicKeyOf(operatorSeeds[operatorId]),
  })),
  nodes: [
    registryNode('bund-1', 10),
    registryNode('by-1', 12),
    registryNode('nw-1', 14),
    registryNode('nw-2', 16, { roles: ['shard'] }),
    registryNode('bund-gw', 18, { roles: ['gateway'], capacityBytes: 0 }),
  ],
  pools: [
    { poolId: 'default', code: 'cauchy-xor', dataShards: 4, parityShards: 2, cellBytes: 262_144, sites: [] },
  ],
  groups: [
    { groupId: 'registry', kind: 'registry', members },
    { groupId: 'catalog-1', kind: 'catalog', members },
  ],
  slots: new Array<string>(slotCount).fill('catalog-1'),
}

/** The genesis of a map, signed by the operators named. */
export function genesisOf(map: ClusterMap, signers: readonly OperatorName[] = ['bund', 'by', 'nw']): Genesis {
  const bytes = genesisBytes(map)
  return {
    format: 1,
    map,
    signatures: Object.fromEntries(signers.map((name) => [name, signature(name, bytes)])),
  }
}

export function openRegistry(): Driver {
  return new Driver(registryMachine(genesisOf(foundingMap), ed25519))
}

export function statement(
  sequence: number,
  change: Statement['change'],
  signers: readonly OperatorName[],
  extra: Partial<Statement> = {},
): Extract<RegistryCommand, { kind: 'statement' }> {
  const document: Statement = { federationId: 'f00d', sequence, change, ...extra }
  const bytes = statementBytes(document)
  const signatures = Object.fromEntries(signers.map((name) => [name, signature(name, bytes)]))
  return { kind: 'statement', signed: { statement: document, signatures } }
}

export function reserve(name: string, bucketId: string, ownerId = 'user-1', extra: Partial<Bucket> = {}) {
  const bucket: Bucket = {
    name,
    bucketId,
    ownerId,
    createdMs: 100,
    poolId: 'default',
    wrappedKey: Uint8Array.of(1, 2),
    state: 'creating',
    attempt: 0,
    ...extra,
  }
  return { kind: 'reserve-bucket', bucket } as const
}

export function setState(
  name: string,
  bucketId: string,
  from: readonly Bucket['state'][],
  to: Bucket['state'],
) {
  return { kind: 'set-bucket-state', name, bucketId, from, to } as const
}

export function putUser(
  userId: string,
  accessKeyId: string,
  secret = 7,
  state: 'active' | 'disabled' = 'active',
) {
  return {
    kind: 'put-user',
    user: { userId, name: `User ${userId}` },
    credential: { accessKeyId, userId, sealedSecret: Uint8Array.of(secret), state },
  } as const
}
