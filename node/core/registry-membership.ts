/**
 * Changes of the membership by signed statements: nodes are admitted, drained, suspended and removed.
 *
 * Invariants: a statement counts once (its sequence number is the next one), in one federation, and with the signatures
 * that its change needs; every accepted one raises the epoch and stays in the rows with its signatures; the map in
 * force is always sound (map-check.ts).
 *
 * Who must sign: the operator of a node admits it; its operator or a majority of operators drains, suspends and removes
 * it; only a majority ends a suspension, so that nobody reinstates a node that the others have shut out.
 */
import { ClusterError } from '../errors.ts'
import { canonicalJson } from './canonical-json.ts'
import type { ClusterMap, MapNode } from './cluster-map.ts'
import { wrongWithMap } from './map-check.ts'
import { type MapRow, registryKeys, type SequenceRow, type StatementRow } from './registry-rows.ts'
import type { RegistryReplies, SignedStatement, Statement } from './registry-types.ts'
import type { RowChanges } from './row-changes.ts'
import { isMajority, signersOf, statementBytes, type VerifySignature } from './signed-documents.ts'

/** The map in force. `founding`: that of the genesis. */
export function currentMap(changes: RowChanges, founding: ClusterMap): ClusterMap {
  return changes.get<MapRow>(registryKeys.map)?.map ?? founding
}

/**
 * Applies a statement. One that was accepted before is answered like the first time.
 * Refuses with BadStatement (the message says why; details: sequence, the next one).
 */
export function applyStatement(
  changes: RowChanges,
  signed: SignedStatement,
  trust: { founding: ClusterMap; verify: VerifySignature },
): RegistryReplies['statement'] {
  const { statement } = signed
  const accepted = changes.get<StatementRow>(registryKeys.statement(statement.sequence))
  if (accepted !== undefined && canonicalJson(accepted.signed.statement) === canonicalJson(statement)) {
    return { epoch: accepted.epoch }
  }
  const map = currentMap(changes, trust.founding)
  const next = changes.get<SequenceRow>(registryKeys.sequence)?.next ?? 1
  if (statement.federationId !== map.federationId) throw bad('it is for another federation', next)
  if (statement.sequence !== next) throw bad(`the next statement has number ${next}`, next)
  const outcome = signersOf(
    { bytes: statementBytes(statement), signatures: signed.signatures },
    map.operators,
    trust.verify,
  )
  if ('wrong' in outcome) throw bad(outcome.wrong, next)
  const changed = changeMap(map, statement.change, outcome.signers)
  const wrong = typeof changed === 'string' ? changed : wrongWithMap(changed)
  if (typeof changed === 'string' || wrong !== undefined) throw bad(wrong ?? '', next)

  changes.put(registryKeys.map, { map: changed } satisfies MapRow)
  changes.put(registryKeys.sequence, { next: next + 1 } satisfies SequenceRow)
  changes.put(registryKeys.statement(next), { signed, epoch: changed.epoch } satisfies StatementRow)
  return { epoch: changed.epoch }
}

/** The map after the change, or why it is refused. */
function changeMap(
  map: ClusterMap,
  change: Statement['change'],
  signers: ReadonlySet<string>,
): ClusterMap | string {
  const epoch = map.epoch + 1
  if (change.kind === 'admit-node') {
    const { node } = change
    if (!signers.has(node.operatorId)) return `${node.operatorId} must sign for its node`
    if (node.state !== 'active') return 'a node is admitted as active'
    return { ...map, epoch, nodes: [...map.nodes, node] }
  }
  const node = map.nodes.find((candidate) => candidate.nodeId === change.nodeId)
  if (node === undefined) return `there is no node ${change.nodeId}`
  const majority = isMajority(signers, map.operators)
  if (!majority && !signers.has(node.operatorId)) return `${node.operatorId} or a majority must sign`
  const others = map.nodes.filter((candidate) => candidate !== node)
  if (change.kind === 'remove-node') {
    const obstacle = wrongWithRemoval(map, node)
    return obstacle ?? { ...map, epoch, nodes: others }
  }
  if (node.state === 'suspended' && change.state !== 'suspended' && !majority) {
    return 'only a majority ends a suspension'
  }
  const nodes = map.nodes.map((candidate) =>
    candidate === node ? { ...node, state: change.state } : candidate,
  )
  return { ...map, epoch, nodes }
}

/** A node that still takes shards, or votes in a group, does not leave. */
function wrongWithRemoval(map: ClusterMap, node: MapNode): string | undefined {
  const group = map.groups.find((each) => each.members.some((member) => member.nodeId === node.nodeId))
  if (group !== undefined) return `${node.nodeId} is a member of group ${group.groupId}`
  const holdsShards = node.roles.includes('shard') && node.state === 'active'
  return holdsShards ? `${node.nodeId} is drained or suspended before it is removed` : undefined
}

function bad(message: string, sequence: number): ClusterError {
  return new ClusterError('BadStatement', `statement refused: ${message}`, { details: { sequence } })
}
