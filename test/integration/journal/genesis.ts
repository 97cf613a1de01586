/** The genesis of the federation that the journal's tests play. */
import type { ClusterMap } from '../../../node/core/cluster-map.ts'
import type { Genesis } from '../../../node/core/registry-types.ts'
import { genesisBytes } from '../../../node/core/signed-documents.ts'
import { slotCount } from '../../../node/core/slots.ts'
import { signerOf } from '../../unit/journal/fixtures.ts'

export const names = ['by-1', 'be-1', 'nw-1']

/** A founding document, signed by its operators, that names these nodes as the voters of the test group. */
export function genesisOf(nodeNames = names): Genesis {
  const operatorIds = nodeNames.map((nodeId) => nodeId.slice(0, 2))
  const operators = operatorIds.map((operatorId) => ({
    operatorId,
    name: operatorId,
    publicKey: signerOf(`operator ${operatorId}`).publicKey,
  }))
  const nodes = nodeNames.map((nodeId) => ({
    nodeId,
    operatorId: nodeId.slice(0, 2),
    site: nodeId.slice(0, 2),
    roles: ['catalog' as const],
    publicKey: signerOf(`tls ${nodeId}`).publicKey,
    journalKey: signerOf(nodeId).publicKey,
    capacityBytes: 1,
    state: 'active' as const,
  }))
  const members = nodeNames.map((nodeId) => ({ nodeId, learner: false }))
  const map: ClusterMap = {
    federationId: 'f',
    epoch: 1,
    operators,
    nodes,
    pools: [{ poolId: 'default', code: 'xor-1', dataShards: 4, parityShards: 2, cellBytes: 4096, sites: [] }],
    groups: [
      { groupId: 'registry', kind: 'registry', members },
      { groupId: 'catalog-1', kind: 'catalog', members },
    ],
    slots: Array(slotCount).fill('catalog-1'),
  }
  const bytes = genesisBytes(map)
  const signatures = Object.fromEntries(operatorIds.map((id) => [id, signerOf(`operator ${id}`).sign(bytes)]))
  return { format: 1, map, signatures }
}
