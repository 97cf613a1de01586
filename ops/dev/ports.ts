/**
 * Free ports on loopback, chosen once when a federation is founded and kept in its configurations.
 *
 * They lie below the range from which the kernel gives out ephemeral ports: otherwise a restart could find its port
 * taken by somebody's outgoing connection. A port is free when both TCP and UDP can be bound.
 */
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'

export const portLimits = {
  first: 20_000,
  /** Linux hands out 32768 and up (ip_local_port_range). */
  last: 32_000,
  /** Each try asks for a random port; on a machine where hundreds in a row are taken something is wrong. */
  triesMax: 400,
} as const

/** Whether `port` can be bound on `host` now. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return (await bindsTcp(port, host)) && (await bindsUdp(port, host))
}

/** `count` different free ports; `random` returns a float in [0, 1). */
export async function chooseFreePorts(count: number, random: () => number = Math.random): Promise<number[]> {
  const chosen: number[] = []
  for (let tries = 0; chosen.length < count; tries += 1) {
    if (tries >= portLimits.triesMax + count) throw new Error(`found no ${count} free ports on loopback`)
    const port = portLimits.first + Math.floor(random() * (portLimits.last - portLimits.first))
    if (!chosen.includes(port) && (await isPortFree(port))) chosen.push(port)
  }
  return chosen
}

function bindsTcp(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

function bindsUdp(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4')
    socket.once('error', () => {
      socket.close()
      resolve(false)
    })
    socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => resolve(true)))
  })
}
