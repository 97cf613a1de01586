/** The genesis of the federation that the journal's tests play. */
import type { ClusterMap } from '../../../node/core/cluster-map.ts'
import type { Genesis } from '../../../node/core/registry-types.ts'
import { signerOf } from '../../unit/journal/fixtures.ts'

export const names = ['by-1', 'be-1', 'nw-1']

/** A founding document that names these nodes as the voters of the test group. */
export function genesisOf(nodeNames = names): Genesis {
  const nodes = nodeNames.map((nodeId) => ({
    nodeId,
    operatorId: nodeId.slice(0, 2),
    site: nodeId.slice(0, 2),
    roles: ['catalog' as const],
    publicKey: '00'.repeat(32),
    journalKey: signerOf(nodeId).publicKey,
    capacityBytes: 1,
    state: 'active' as const,
  }))
  const members = nodeNames.map((nodeId) => ({ nodeId, learner: false }))
  const groups = [{ groupId: 'catalog-1', kind: 'catalog' as const, members }]
  const map: ClusterMap = { federationId: 'f', epoch: 1, operators: [], nodes, pools: [], groups, slots: [] }
  return { format: 1, map, signatures: {} }
}
