import { describe, expect, it } from 'vitest'
import { expectSoundLevels, ForestFixture } from './forest-fixture.js'

describe('a forest', () => {
  it('turns segments into tables, in which everything is found again', async () => {
    const fixture = await ForestFixture.open()
    for (let i = 0; i < 1000; i++) fixture.segment.put(1, `key ${i}`, `value ${i}`)
    fixture.segment.put(2, 'other', 'tree')
    await fixture.flush()
    expect(fixture.get(1, 'key 500')).toBe('value 500')
    expect(fixture.get(2, 'other')).toBe('tree')
    expect(fixture.get(1, 'other')).toBeUndefined()
    await fixture.close()
    await fixture.reopen()
    expect(fixture.get(1, 'key 999')).toBe('value 999')
    expect(fixture.tree(2).name).toBe('tree 2')
    await fixture.close()
  })

  it('compacts until it is at rest, and keeps what counts', async () => {
    const fixture = await ForestFixture.open()
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 300; i++) fixture.segment.put(1, `key ${i}`, `round ${round}`)
      await fixture.flush()
    }
    await fixture.forest.idle()
    expect(fixture.shape(1)).toEqual([0, 0, 0, 0, 0, 0, 1])
    expectSoundLevels(fixture.tree(1))
    expect(fixture.get(1, 'key 123')).toBe('round 9')
    expect(fixture.files('.sst')).toHaveLength(1)
    await fixture.close()
  })
})
