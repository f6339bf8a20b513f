import { describe, expect, it } from 'vitest';
import { dayText, dayTone, endText, lastDays, uptimeText } from './health';

const CRASHES = { is_looping: true, recent: 4, total: 9, last_at: null, exit_code: 137, out_of_memory: false };

describe('health in words', () => {
  it('says how Odoo ended', () => {
    expect(endText(CRASHES)).toBe('exit code 137');
    expect(endText({ ...CRASHES, out_of_memory: true })).toBe('it wanted more memory than it may have');
    expect(endText({ ...CRASHES, exit_code: null })).toBe('why is not known');
  });

  it('does not round nines away', () => {
    expect(uptimeText(99.9994)).toBe('99.999 %');
    expect([uptimeText(100), uptimeText(97.2), uptimeText(null)]).toEqual(['100 %', '97 %', '–']);
  });

  it('has a day for each day, also where nothing was measured', () => {
    const known = { day: '2026-03-01', healthy_seconds: 86_100, unhealthy_seconds: 300, percent: 99.65 };
    const days = lastDays([known], 3, '2026-03-02');
    expect(days.map((day) => day.day)).toEqual(['2026-02-28', '2026-03-01', '2026-03-02']);
    expect(days.map(dayTone)).toEqual(['idle', 'warn', 'idle']);
    expect(dayText(known)).toBe('2026-03-01: 99.65 %, away for 5 min 00 s');
    expect(dayText(days[0]!)).toBe('2026-02-28: not measured');
  });
});
