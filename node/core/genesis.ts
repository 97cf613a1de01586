/**
 * The founding document of a federation: who may check it, and how. Every process does before it trusts the map.
 */
import { ClusterError } from '../errors.ts'
import { mapLimits, wrongWithMap } from './map-check.ts'
import type { Genesis } from './registry-types.ts'
import { dictionary, oneOf, record, text } from './shape.ts'
import { genesisBytes, signersOf, type VerifySignature } from './signed-documents.ts'

const genesisShape = record({
  format: oneOf(1),
  map: record({}),
  signatures: dictionary(text(256), { max: mapLimits.operatorsMax }),
})

/**
 * Returns the document when its map is sound and every operator in it has signed.
 * Throws ClusterError BadStatement that says what is wrong. Whether these are the operators that one expected is for
 * people: compare the keys.
 */
export function verifyGenesis(document: unknown, verify: VerifySignature): Genesis {
  const wrong = genesisShape(document)
  if (wrong !== undefined) throw bad(`the document${wrong}`)
  const genesis = document as Genesis
  const wrongMap = wrongWithMap(genesis.map)
  if (wrongMap !== undefined) throw bad(wrongMap)
  const signed = { bytes: genesisBytes(genesis.map), signatures: genesis.signatures }
  const outcome = signersOf(signed, genesis.map.operators, verify)
  if ('wrong' in outcome) throw bad(outcome.wrong)
  const missing = genesis.map.operators.find((operator) => !outcome.signers.has(operator.operatorId))
  if (missing !== undefined) throw bad(`${missing.operatorId} has not signed`)
  return genesis
}

function bad(message: string): ClusterError {
  return new ClusterError('BadStatement', `genesis: ${message}`)
}
