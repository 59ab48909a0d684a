// Draws one dashboard with Grafana's own panel components. window.BOARD: the dashboard, and the answers to its queries.
import {
  createTheme, createDataFrame, dateTime, FieldType, getDisplayProcessor, getDisplayValueAlignmentFactors, ThemeContext,
} from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, Table, TimeSeries } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import '@fontsource/inter/latin-400.css';
import '@fontsource/inter/latin-500.css';
import 'uplot/dist/uPlot.min.css';

const theme = createTheme({ colors: { mode: 'dark' } });
const { board, answers, began, ended, step } = window.BOARD;
const COLUMN = 66, CELL = 30, GAP = 8;
const range = { from: dateTime(began * 1000), to: dateTime(ended * 1000) };
const timeRange = { ...range, raw: range };

const legend = (text, labels) => text.replace(/{{\s*(\w+)\s*}}/g, (_, name) => labels[name] ?? '').trim();
const number = (text) => (text === 'NaN' ? null : Number(text));

function config(panel, name) {
  const { defaults, overrides } = panel.fieldConfig;
  const made = { ...defaults, displayName: name, custom: { ...defaults.custom }, links: [] };
  for (const { matcher, properties } of overrides) {
    const hit = matcher.id === 'byName' ? matcher.options === name : new RegExp(matcher.options).test(name);
    for (const { id, value } of hit ? properties : []) {
      if (id.startsWith('custom.')) made.custom[id.slice(7)] = value;
      else if (id !== 'links') made[id] = value;
    }
  }
  return made;
}

function shown(field) {
  field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
  const known = field.values.filter((value) => typeof value === 'number');
  const [min, max] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 0];
  field.state = { ...field.state, range: { min, max, delta: max - min } };
  return field;
}

// One frame for each series; gaps where Prometheus has none.
function frames(panel) {
  const instants = [];
  for (let at = began; at <= ended; at += step) instants.push(at);
  return panel.targets.flatMap((target, index) =>
    answers[panel.id][index].map((series) => {
      const name = legend(target.legendFormat, series.metric);
      const points = new Map((series.values ?? [series.value]).map(([at, value]) => [Math.round((at - began) / step), number(value)]));
      const values = instants.map((_, position) => points.get(position) ?? null);
      const time = { name: 'Time', type: FieldType.time, config: {}, values: instants.map((at) => at * 1000) };
      return createDataFrame({ fields: [time, shown({ name, type: FieldType.number, config: config(panel, name), values })] });
    })
  );
}

function latest(panel) {
  return panel.targets.flatMap((target, index) =>
    answers[panel.id][index].map((series) => {
      const values = (series.values ?? [series.value]).map(([, value]) => number(value));
      const name = legend(target.legendFormat, series.metric);
      const known = values.filter((value) => value !== null);
      const field = shown({ name, type: FieldType.number, config: config(panel, name), values });
      return { name, field, value: known.at(-1) ?? null };
    })
  );
}

// Grafana colours series by their order, unless a colour is given.
function coloured(all) {
  all.forEach((frame, index) => {
    frame.fields[1].state = { ...frame.fields[1].state, seriesIndex: index };
    frame.fields[1].config.color ??= { mode: 'palette-classic' };
    const custom = frame.fields[1].config.custom;
    custom.stacking = { group: 'A', mode: 'none', ...custom.stacking };
    custom.axisPlacement = 'auto';
    custom.barAlignment = 0;
    custom.lineInterpolation = 'linear';
    custom.scaleDistribution ??= { type: 'linear' };
    custom.hideFrom = { legend: false, tooltip: false, viz: false };
    custom.thresholdsStyle ??= { mode: 'off' };
    shown(frame.fields[1]);
  });
  return all;
}

function Lines({ panel, width, height }) {
  const all = coloured(frames(panel));
  if (all.length === 0) return <Nothing />;
  return (
    <TimeSeries frames={all} timeRange={timeRange} timeZone="utc" width={width} height={height} structureRev={1}
      legend={{ ...panel.options.legend, calcs: [] }} />
  );
}

function Figures({ panel, width, height }) {
  const all = latest(panel);
  return (
    <div style={{ display: 'flex' }}>
      {all.map(({ name, field, value }) => {
        const text = panel.options.textMode === 'value' ? undefined : name;
        const sparkline = { y: { ...field, config: { ...field.config, custom: {} } } };
        return (
          <BigValue key={name} theme={theme} width={width / all.length} height={height} colorMode={panel.options.colorMode}
            graphMode={panel.options.graphMode} textMode={panel.options.textMode} value={{ ...field.display(value), title: text }}
            sparkline={field.values.length > 1 ? sparkline : undefined} />
        );
      })}
    </div>
  );
}

function Bars({ panel, width, height }) {
  const all = latest(panel);
  if (all.length === 0) return <Nothing />;
  const max = panel.fieldConfig.defaults.max ?? Math.max(1, ...all.map(({ value }) => value ?? 0));
  const each = Math.min(60, height / all.length - 4);
  const aligned = getDisplayValueAlignmentFactors(all.map(({ name, field, value }) => ({ display: { ...field.display(value), title: name } })));
  return all.map(({ name, field, value }) => (
    <div key={name} style={{ marginBottom: 4 }}>
      <BarGauge theme={theme} width={width} height={each} orientation="horizontal" displayMode={panel.options.displayMode}
        showUnfilled={panel.options.showUnfilled} field={{ ...field.config, min: 0, max }} display={field.display}
        value={{ ...field.display(value), title: name }} alignmentFactors={aligned} text={panel.options.text}
        namePlacement={panel.options.namePlacement} lcdCellWidth={12} itemSpacing={8} />
    </div>
  ));
}

function Rows({ panel, width, height }) {
  const options = (id) => panel.transformations.find((one) => one.id === id).options;
  const { indexByName, renameByName } = options('organize');
  const [{ field: sorted, desc }] = options('sortBy').sort;
  const merged = new Map();
  const keys = Object.keys(indexByName).filter((name) => !name.startsWith('Value'));
  panel.targets.forEach((target, index) => {
    const column = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
    for (const { metric, value } of answers[panel.id][index]) {
      const key = JSON.stringify(keys.map((name) => metric[name] ?? ''));
      merged.set(key, { ...merged.get(key), ...metric, [column]: number(value[1]) });
    }
  });
  const names = Object.keys(indexByName).sort((a, b) => indexByName[a] - indexByName[b]);
  const title = (name) => renameByName[name] ?? name;
  const by = names.find((name) => title(name) === sorted);
  const order = (one, other) => (one < other ? -1 : one > other ? 1 : 0);
  const all = [...merged.values()].sort((one, other) => order(one[by] ?? -Infinity, other[by] ?? -Infinity) * (desc ? -1 : 1));
  if (all.length === 0) return <Nothing />;
  const fields = names.map((name) =>
    shown({
      name: title(name),
      type: keys.includes(name) ? FieldType.string : FieldType.number,
      config: config(panel, title(name)),
      values: all.map((row) => row[name] ?? (keys.includes(name) ? '' : null)),
    })
  );
  return <Table data={createDataFrame({ fields })} width={width} height={height} />;
}

// Grafana keeps its state timeline to itself: this stands for it.
function Bands({ panel, width, height }) {
  const states = panel.fieldConfig.defaults.mappings[0].options;
  const all = frames(panel);
  if (all.length === 0) return <Nothing />;
  const words = Object.values(states).map(({ text, color }) => <b key={text} style={{ color, marginRight: 16 }}>{text}</b>);
  const each = (height - 20) / all.length;
  return [...all.map((frame) => (
    <div key={frame.fields[1].name} style={{ display: 'flex', alignItems: 'center', height: each }}>
      <div style={{ width: 220, fontSize: 12 }}>{frame.fields[1].config.displayName}</div>
      <svg width={width - 220} height={each * 0.8} preserveAspectRatio="none" viewBox={`0 0 ${frame.length} 1`}>
        {frame.fields[1].values.map((value, at) =>
          value === null ? null : (
            <rect key={at} x={at} width={1} height={1} shapeRendering="crispEdges" fill={theme.visualization.getColorByName(states[value].color)} opacity={0.7} />
          )
        )}
      </svg>
    </div>
  )), <div key="words" style={{ fontSize: 12, marginLeft: 220 }}>{words}</div>];
}

function Nothing() {
  return <div style={{ textAlign: 'center', paddingTop: 20 }}>No data</div>;
}

const KINDS = { timeseries: Lines, stat: Figures, bargauge: Bars, table: Rows, 'state-timeline': Bands };

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const place = { position: 'absolute', left: x * COLUMN + GAP, top: y * (CELL + GAP) + 48, height: h * (CELL + GAP) - GAP };
  if (panel.type === 'row') return <h4 style={place}>{panel.title}</h4>;
  const Kind = KINDS[panel.type];
  const title = panel.title.replace('$commitment', 'first_response');
  return (
    <div style={place}>
      <PanelChrome title={title} description={panel.description} width={w * COLUMN - GAP} height={place.height}>
        {(width, height) => <Kind panel={panel} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

// What is drawn on a canvas does not wait for its font.
Promise.all(['400 14px Inter', '500 14px Inter'].map((font) => document.fonts.load(font))).then(() =>
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <h3 style={{ padding: '10px 8px' }}>{board.title}</h3>
      {board.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
    </ThemeContext.Provider>
  )
);
