/** The page's style sheet. Colours keep a contrast of 4.5 to 1 on their ground in both schemes (WCAG 2.2, 1.4.3). */
export const style = `
:root {
  --ground: #f6f7f9; --sheet: #fff; --line: #dfe3e8; --text: #1c2430; --soft: #5a6573;
  --good: #15693a; --good-ground: #e2f4e8; --bad: #b0231b; --bad-ground: #fdeae8;
  --warn: #855200; --warn-ground: #fdf1d8; --quiet-ground: #eceff2; --track: #e4e8ed; --passed: #7d8b9b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161c; --sheet: #1a2028; --line: #2d3641; --text: #e4e9ef; --soft: #9aa7b5;
    --good: #7fd6a0; --good-ground: #16341f; --bad: #ff9d94; --bad-ground: #43191a;
    --warn: #f2c063; --warn-ground: #3b2c0d; --quiet-ground: #29313b; --track: #2b343f; --passed: #8494a6;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 14.5px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1320px; margin: 0 auto; padding: 32px 24px 48px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -.01em; }
h2 { font-size: 17px; margin: 32px 0 10px; }
header p, footer { color: var(--soft); margin: 0; }
footer { margin-top: 28px; font-size: 13px; }
code { font: 13px/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
small { color: var(--soft); font-size: 13px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px; margin-top: 22px; }
.tile { background: var(--sheet); border: 1px solid var(--line); border-radius: 10px; padding: 14px 16px; }
.tile strong { display: block; font-size: 24px; line-height: 1.25; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.tile.good strong { color: var(--good); } .tile.bad strong { color: var(--bad); } .tile.warn strong { color: var(--warn); }
.scroll { overflow-x: auto; background: var(--sheet); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 9px 14px; vertical-align: top; border-top: 1px solid var(--line); }
thead th { border-top: 0; font-size: 13px; font-weight: 600; color: var(--soft); white-space: nowrap; }
tbody th { font-weight: 600; white-space: nowrap; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.date { white-space: nowrap; font-variant-numeric: tabular-nums; }
.date small, .subject small { display: block; }
.host { overflow-wrap: anywhere; min-width: 14em; } .subject { overflow-wrap: anywhere; min-width: 18em; }
.what { min-width: 18em; max-width: 36em; overflow-wrap: anywhere; white-space: pre-line; }
.error { color: var(--bad); }
.badge { display: inline-block; padding: 1px 9px; border-radius: 999px; font-size: 13px; font-weight: 600; white-space: nowrap;
  background: var(--quiet-ground); color: var(--soft); }
.badge.good { background: var(--good-ground); color: var(--good); }
.badge.bad { background: var(--bad-ground); color: var(--bad); }
.badge.warn { background: var(--warn-ground); color: var(--warn); }
td.life { min-width: 130px; vertical-align: middle; }
.bar { display: block; width: 100%; height: 8px; border-radius: 4px; }
.track { fill: var(--track); } .passed { fill: var(--passed); } .renewal { fill: var(--warn); opacity: .35; }
.bar.bad .passed { fill: var(--bad); } .bar.warn .passed { fill: var(--warn); } .bar.good .passed { fill: var(--good); }
@media print { body { background: #fff; } .tile, .scroll { break-inside: avoid; } }
`;
