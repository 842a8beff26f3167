import { describe, expect, it } from 'vitest'
import { open } from '../../src/store/database.js'
import { Listeners } from '../../src/store/listeners.js'

describe('commit listeners', () => {
  it('hear of every record once, in order, when it is visible and before its writer goes on', async () => {
    await using db = await open(':memory:')
    const { engine } = db
    const heard: string[] = []
    let next = engine.visible
    const stop = engine.onCommit((segment, start, end) => {
      expect(Math.max(segment.base + start - next, 0)).toBeLessThanOrEqual(80)
      next = segment.base + end
      expect(engine.visible).toBe(next)
      heard.push(`${db.getSync('key')}`)
    })
    db.putSync('key', '1')
    expect(heard).toEqual(['1'])
    const written = Promise.all([db.put('key', '2'), db.put('key', '3')]).then(() => heard.push('settled'))
    expect(heard).toEqual(['1'])
    await written
    await db.put('key', '4', { sync: true })
    stop()
    stop()
    db.putSync('key', '5')
    expect(heard).toEqual(['1', '3', 'settled', '4'])
  })

  it('may come and go while they are called', () => {
    const listeners = new Listeners<[number]>()
    const heard: string[] = []
    const stopFirst = listeners.add((event) => {
      heard.push(`first ${event}`)
      stopFirst()
      listeners.add((later) => heard.push(`second ${later}`))
    })
    listeners.call(1)
    listeners.call(2)
    expect(heard).toEqual(['first 1', 'second 2'])
    expect(listeners.count).toBe(1)
  })
})
