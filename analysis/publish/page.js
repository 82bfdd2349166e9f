// SPDX-License-Identifier: BSD-3-Clause
// Draws the picture that page and report hold as JSON (picture_json.c). Report and live page are the same to it, but that
// the live one fetches itself anew. No library, and no style by attribute: the policy allows neither.
'use strict';
(() => {
  const $ = id => document.getElementById(id);
  const STATES = {u: 'up', l: 'learning what is usual', s: 'suspect: not yet certain', d: 'down', r: 'coming back',
                  b: 'blind: the sensor did not see', m: 'missing: nothing was measured'};
  const POPULATIONS = {from: ['from the watched side', 'packets a minute'], towards: ['towards it', 'packets a minute'],
                       beside: ['beside it, on the tap', 'packets a minute'], hosts: ['hosts that spoke', 'in a bin']};
  let data = null, view = null, cursor = null, hover = null, drag = null, plots = [], size;

  // ---- what came as text ----

  const escape = text => String(text).replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`);

  function numbers(text) {
    const parts = text ? text.split(',') : [], out = new Float64Array(parts.length);
    let last = NaN;
    parts.forEach((part, i) => {
      if (part !== '') last = part === '-' ? NaN : +part;
      out[i] = last;
    });
    return out;
  }

  const runs = text => text.replace(/(\D)(\d*)/g, (_, letter, count) => letter.repeat(count || 1));

  function track(raw) {
    const one = {name: raw.name, t: raw.t, w: raw.w, s: runs(raw.s || '')};
    for (const key of 'oelhaz') if (raw[key] !== undefined) one[key] = numbers(raw[key]);
    one.n = one.s.length;
    return one;
  }

  function read() {
    if (!$('data')) return false; // nothing was measured yet
    data = JSON.parse($('data').textContent);
    data.all = track(data.all);
    data.sight = track(data.sight);
    data.populations = data.populations.map(track);
    data.rows = data.rows.map(track);
    if (data.hosts) for (const row of data.hosts.rows) row[1] = runs(row[1]);
    return true;
  }

  // ---- words ----

  const zone = () => {
    const minutes = Math.abs(data.offset) % 60;
    return `UTC${data.offset < 0 ? '−' : '+'}${Math.floor(Math.abs(data.offset) / 60)}${minutes ? `:${String(minutes).padStart(2, '0')}` : ''}`;
  };
  const stamp = (t, minutes = 0) => new Date((t + minutes * 60) * 1000).toISOString().replace('T', ' ');
  const clock = t => {
    const length = data.bin % 60 || t % 60 ? 19 : 16, utc = stamp(t).slice(0, length);
    if (data.offset === undefined) return `${utc} UTC`;
    const local = stamp(t, data.offset).slice(0, length);
    return `${utc} UTC (${local.slice(0, 10) === utc.slice(0, 10) ? local.slice(11) : local.slice(5)} ${zone()})`;
  };
  function span(s) {
    const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
    let out = [], rest = Math.round(s);
    for (const [unit, name] of parts) {
      if (rest >= unit && out.length < 2) out.push(`${Math.floor(rest / unit)} ${name}`);
      rest %= unit;
    }
    return out.join(' ') || '0 s';
  }
  const figure = v => isNaN(v) ? 'not known' : v >= 1000 ? Math.round(v).toLocaleString('en') : String(+v.toPrecision(3));
  const short = name => name.replace(/^\w+:/, '');

  // ---- from points to columns ----

  // The points of a track in the view, as no more columns than there is room for. A state outweighs those before it in the
  // string.
  function fold(one, columns) {
    const first = Math.max(0, Math.floor((size.from - one.t) / one.w)), last = Math.min(one.n, Math.ceil((size.to - one.t) / one.w));
    const step = Math.max(1, Math.ceil((last - first) / columns)), out = [];
    for (let i = Math.floor(first / step) * step; i < last; i += step) {
      const end = Math.min(i + step, one.n), sums = {o: 0, e: 0, l: 0, h: 0}, counts = {o: 0, e: 0, l: 0, h: 0};
      let least = Infinity, most = -Infinity, state = 0;
      for (let j = i; j < end; j++) {
        for (const key in sums) if (one[key] && !isNaN(one[key][j])) sums[key] += one[key][j], counts[key]++;
        const low = one.a ? one.a[j] : one.o[j], high = one.z ? one.z[j] : one.o[j];
        if (low < least) least = low;
        if (high > most) most = high;
        state = Math.max(state, 'mulsrbd'.indexOf(one.s[j]));
      }
      const mean = key => counts[key] ? sums[key] / counts[key] : NaN;
      out.push({t0: one.t + i * one.w, t1: one.t + end * one.w, o: mean('o'), a: least, z: most, e: mean('e'), l: mean('l'),
                h: mean('h'), s: 'mulsrbd'[state]});
    }
    return out;
  }

  const round = v => Math.round(v * 10) / 10;
  const x = t => round(size.left + size.plot * Math.min(1, Math.max(0, (t - size.from) / (size.to - size.from))));

  // Steps through the columns: each value for as long as it holds, nothing where it is not known.
  function steps(columns, y, key) {
    let path = '', open = false;
    for (const c of columns) {
      if (isNaN(c[key])) { open = false; continue; }
      path += `${open ? 'L' : 'M'}${x(c.t0)} ${y(c[key])}H${x(c.t1)}`;
      open = true;
    }
    return path;
  }

  // The area between two values.
  function area(columns, y, low, high) {
    let path = '', there = '', back = '';
    const close = () => { if (there) path += `M${there.slice(1)}${back}Z`; there = back = ''; };
    for (const c of columns) {
      const a = low === 0 ? 0 : c[low], z = c[high];
      if (!isFinite(a) || !isFinite(z)) { close(); continue; }
      there += `L${x(c.t0)} ${y(z)}H${x(c.t1)}`;
      back = `L${x(c.t1)} ${y(a)}H${x(c.t0)}${back}`;
    }
    close();
    return path;
  }

  function states(one, draw) {
    let from = Math.max(0, Math.floor((size.from - one.t) / one.w));
    const end = Math.min(one.n, Math.ceil((size.to - one.t) / one.w));
    while (from < end) {
      let to = from + 1;
      while (to < end && one.s[to] === one.s[from]) to++;
      const x0 = x(one.t + from * one.w), x1 = x(one.t + to * one.w);
      draw(one.s[from], x0, Math.max(round(x1 - x0), .6));
      from = to;
    }
  }

  // Blind and missing are hatched, so that they differ without colour.
  function shade(one, top, height, kinds) {
    let out = '';
    states(one, (state, x0, w) => {
      if (!kinds.includes(state)) return;
      const paint = state === 'b' ? ' fill="url(#blind)"' : state === 'm' ? ' fill="url(#missing)"' : ` class="${state}"`;
      out += `<rect x="${x0}" y="${top}" width="${w}" height="${height}"${paint}/>`;
    });
    return out;
  }

  const PATTERNS = '<defs><pattern id="blind" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">' +
    '<path class="hatch" d="M0 0V7"/></pattern><pattern id="missing" width="5" height="5" patternUnits="userSpaceOnUse">' +
    '<rect class="void" width="1.4" height="1.4"/></pattern></defs>';

  // ---- axes ----

  const UNITS = [60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000];

  function ticks() {
    const room = size.narrow ? 78 : 92, wanted = (size.to - size.from) / Math.max(2, size.plot / room);
    const unit = UNITS.find(one => one >= wanted) || UNITS[UNITS.length - 1], out = [];
    for (let t = Math.ceil(size.from / unit) * unit; t <= size.to; t += unit) out.push([t, unit]);
    return out;
  }

  function label(t, unit, first, minutes) {
    const text = stamp(t, minutes), midnight = text.slice(11, 16) === '00:00';
    const day = `${+text.slice(8, 10)} ${'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')[text.slice(5, 7) - 1]}`;
    return unit >= 86400 && midnight ? day : first || midnight ? `${day} ${text.slice(11, 16)}` : text.slice(11, 16);
  }

  // Lines through the plot, and under it the time in UTC and that of the watched side.
  function timeAxis(top, bottom, named) {
    let out = '';
    const at = ticks();
    for (const [t] of at) out += `<path class="grid" d="M${x(t)} ${top}V${bottom}"/>`;
    if (!named) return out;
    out += `<path class="axis" d="M${size.left} ${bottom}H${size.left + size.plot}"/>`;
    const row = (y, name, minutes) => {
      if (!size.narrow) out += `<text x="${size.left - 8}" y="${y}" text-anchor="end">${name}</text>`;
      let before = '', free = size.narrow ? 0 : size.left - 4;
      for (const [t, unit] of at) {
        const day = stamp(t, minutes).slice(0, 10), text = label(t, unit, day !== before, minutes), at = x(t);
        const half = text.length * 3.3;
        if (at - half < free || at + half > size.width) continue;
        before = day;
        free = at + half + 6;
        out += `<text x="${at}" y="${y}" text-anchor="middle">${text}</text>`;
      }
    };
    row(bottom + 16, 'UTC', 0);
    if (data.offset !== undefined) row(bottom + 31, zone(), data.offset);
    return out;
  }

  const axisHeight = () => data.offset === undefined ? 20 : 36;

  function niceTop(most) {
    if (!(most > 0)) return 1;
    const power = 10 ** Math.floor(Math.log10(most));
    return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find(one => one * power >= most) * power;
  }

  // ---- plots ----

  // `rows` tells what lies under the pointer.
  function plot(id, height, body, name, rows = []) {
    const place = $(id);
    place.innerHTML = `<svg viewBox="0 0 ${size.width} ${height}" role="img" aria-label="${escape(name)}">${PATTERNS}${body}` +
      `<rect class="choice" y="0" height="${height}" x="0" width="0"/><path class="cursor" d=""/></svg>`;
    plots.push({place, height, rows, line: place.querySelector('.cursor'), choice: place.querySelector('.choice')});
  }

  // The outages of a scope, from onset to end, and above them the bars within which these may lie.
  function outages(scope, top, height) {
    let out = '';
    for (const one of data.episodes) {
      if (one.sensor || one.scope !== scope) continue;
      const until = one.off ? one.off[1] : size.end;
      if (until < size.from || one.on[1] > size.to) continue;
      const x0 = x(one.on[1]), x1 = x(until);
      out += `<rect class="d" x="${x0}" y="${top}" width="${Math.max(1, round(x1 - x0))}" height="${height}"/>`;
      for (const edge of [one.on, one.off]) {
        if (!edge || edge[1] < size.from || edge[1] > size.to) continue;
        out += `<path class="edge" d="M${x(edge[1])} ${top}v${height}"/>`;
        if (edge[0] !== null && edge[2] !== null)
          out += `<rect class="between" x="${x(edge[0])}" y="${top}" width="${Math.max(2, round(x(edge[2]) - x(edge[0])))}" height="5"/>`;
      }
    }
    return out;
  }

  // Outages of parts alone, as bars with their names along the top.
  function partial(top) {
    let out = '', free = 0;
    for (const one of data.episodes) {
      const until = one.off ? one.off[1] : size.end;
      if (one.sensor || one.scope === 'all' || until < size.from || one.on[1] > size.to) continue;
      const x0 = x(one.on[1]), wide = Math.max(2, round(x(until) - x0)), name = short(one.scope), from = Math.max(x0, free);
      out += `<rect class="between" x="${x0}" y="${top}" width="${wide}" height="4"/>`;
      if (from > x0 + wide || from + name.length * 6.5 > size.width) continue;
      out += `<text class="small part" x="${from}" y="${top + 16}">${escape(name)}</text>`;
      free = from + name.length * 6.5 + 8;
    }
    return out;
  }

  function drawMain() {
    const top = 10, height = size.narrow ? 190 : 250, bottom = top + height, one = data.all, columns = fold(one, size.plot / 2);
    let most = 0;
    for (const c of columns) most = Math.max(most, size.plot / columns.length > 3 || !isFinite(c.z) ? c.o || 0 : c.z, c.s === 'l' ? 0 : c.h || c.e || 0);
    most = niceTop(most);
    const y = v => round(bottom - height * Math.min(1, v / most));
    let out = shade(one, top, height, 'bm') + outages('all', top, height) + timeAxis(top, bottom + 10, true);
    for (let i = 0; i <= 4; i++) {
      out += `<path class="grid" d="M${size.left} ${y(most * i / 4)}H${size.left + size.plot}"/>`;
      out += `<text x="${size.left - 8}" y="${y(most * i / 4) + 4}" text-anchor="end">${+(most * i / 4).toPrecision(3)}</text>`;
    }
    out += `<path class="band" d="${area(columns, y, 'l', 'h')}"/>`;
    if (columns.length && (columns[0].t1 - columns[0].t0 > data.bin)) out += `<path class="range" d="${area(columns, y, 'a', 'z')}"/>`;
    out += `<path class="usual" d="${steps(columns, y, 'e')}"/><path class="seen" d="${steps(columns, y, 'o')}"/>`;
    states(one, (state, x0, w) => { if (state !== 'm') out += `<path class="k ${state}" d="M${x0} ${bottom + 5}h${w}"/>`; });
    out += partial(top);
    plot('main', bottom + 10 + axisHeight(), out, `Timeline of observed and expected ${data.measure} a minute`);
  }

  // Small plots under each other, each with its own height of scale.
  function drawRows(id, rows, what) {
    const place = $(id), above = size.narrow ? 16 : 4, tall = size.narrow ? 30 : 34, each = above + tall + 4;
    place.parentElement.hidden = rows.length === 0;
    if (rows.length === 0) return;
    const bottom = rows.length * each;
    let out = timeAxis(0, bottom, true);
    const under = [];
    rows.forEach((one, i) => {
      const top = i * each + above, columns = fold(one, size.plot / 2);
      let most = 0;
      for (const c of columns) most = Math.max(most, c.o || 0, c.s === 'l' ? 0 : c.e || 0);
      const y = v => round(top + tall - tall * Math.min(1, most > 0 ? v / most : 0));
      const [name, unit] = POPULATIONS[one.name] || [short(one.name), ''];
      const own = outages(one.name, top, tall);
      out += own + shade(one, top, tall, own ? 'bmr' : 'bmdr') + `<path class="fill" d="${area(columns, y, 0, 'o')}"/><path class="seen" d="${steps(columns, y, 'o')}"/>`;
      if (one.e) out += `<path class="usual" d="${steps(columns, y, 'e')}"/>`;
      out += `<path class="axis" d="M${size.left} ${top + tall}H${size.left + size.plot}"/>`;
      const scale = `up to ${figure(most)}${size.narrow && unit ? ` ${unit}` : ''}`;
      if (size.narrow) {
        out += `<text class="name" x="0" y="${top - 4}">${escape(name)}</text>`;
        out += `<text class="small" x="${size.width}" y="${top - 4}" text-anchor="end">${scale}</text>`;
      } else {
        const cut = name.length > 25 ? `${name.slice(0, 24)}…` : name;
        out += `<text class="name" x="${size.left - 8}" y="${top + 14}" text-anchor="end">${escape(cut)}</text>`;
        out += `<text class="small" x="${size.left - 8}" y="${top + 28}" text-anchor="end">${scale}</text>`;
      }
      under.push({top: i * each, bottom: (i + 1) * each, name, unit, one});
    });
    plot(id, bottom + axisHeight(), out, `${what}: ${rows.length} small plots on the same axis of time`, under);
  }

  function drawHosts() {
    const place = $('hosts'), hosts = data.hosts;
    place.parentElement.hidden = !hosts || hosts.rows.length === 0;
    if (place.parentElement.hidden) return;
    const count = hosts.rows.length, each = count <= 48 ? 13 : count <= 110 ? 8 : 4, bottom = count * each;
    let out = '';
    const levels = [[], [], []], under = [];
    let network = '';
    hosts.rows.forEach(([address, slots], i) => {
      const top = i * each, now = address.replace(/[.:][^.:]*$/, '');
      if (now !== network && i > 0) out += `<path class="axis" d="M${size.narrow ? 0 : size.left} ${top}H${size.left + size.plot}"/>`;
      if (!size.narrow && (each > 10 || now !== network))
        out += `<text class="small" x="${size.left - 8}" y="${top + Math.max(each - 3, 9)}" text-anchor="end">${escape(address)}</text>`;
      network = now;
      for (let from = 0; from < slots.length;) {
        let to = from + 1;
        while (to < slots.length && slots[to] === slots[from]) to++;
        const t0 = hosts.t + from * hosts.w, t1 = hosts.t + to * hosts.w;
        if (slots[from] !== '.' && t1 > size.from && t0 < size.to) {
          const level = slots[from] <= 'c' ? 0 : slots[from] <= 'f' ? 1 : 2;
          levels[level].push(`M${x(t0)} ${top + 1}H${Math.max(x(t1), x(t0) + .8)}v${each - 2}H${x(t0)}z`);
        }
        from = to;
      }
      under.push({top, bottom: top + each, name: address, slots});
    });
    out = shade(data.all, 0, bottom, 'bmd') + timeAxis(0, bottom, true) + out;
    levels.forEach((paths, i) => { out += `<path class="host" opacity="${[.45, .7, 1][i]}" d="${paths.join('')}"/>`; });
    plot('hosts', bottom + axisHeight(), out, `${count} hosts, and when each of them spoke`, under);
    $('hosts-note').textContent = hosts.more || hosts.untold ? 'More hosts spoke than are shown: these spoke most.' : '';
  }

  // How long an outage would have had to last, on a logarithmic scale.
  function drawSight() {
    const top = 6, height = 96, bottom = top + height, one = data.sight, columns = fold(one, size.plot);
    let least = Infinity, most = 0;
    for (const c of columns) if (c.o > 0) least = Math.min(least, c.o), most = Math.max(most, c.o);
    $('sight').parentElement.hidden = most === 0 && !one.o.some(v => v > 0);
    if ($('sight').parentElement.hidden) return;
    const marks = [1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86400];
    const low = marks.filter(one => one <= least).pop() || 1, high = marks.find(one => one >= most) || 86400;
    const y = v => round(bottom - height * Math.log(Math.max(v, low) / low) / Math.log(Math.max(high / low, 2)));
    let out = shade(one, top, height, 'bmd') + timeAxis(top, bottom, true);
    for (const mark of marks) {
      if (mark < low || mark > high) continue;
      out += `<path class="grid" d="M${size.left} ${y(mark)}H${size.left + size.plot}"/>`;
      out += `<text x="${size.left - 8}" y="${y(mark) + 4}" text-anchor="end">${size.narrow ? span(mark).replace(/ (\w)\w*/, '$1') : span(mark)}</text>`;
    }
    out += `<path class="seen" d="${steps(columns, y, 'o')}"/>`;
    plot('sight', bottom + axisHeight(), out, 'How soon a total outage would have been noticed, over time');
    drawHours();
  }

  // The same by hour of the day, over all that was watched.
  function drawHours() {
    const one = data.sight, hours = Array.from({length: 24}, () => []);
    for (let i = 0; i < one.n; i++)
      if (one.o[i] > 0) hours[Math.floor((one.t + i * one.w) / 3600) % 24].push(one.o[i]);
    const means = hours.map(list => list.length ? list.reduce((a, b) => a + b) / list.length : NaN);
    const most = Math.max(...means.filter(v => !isNaN(v)), 1), top = 16, height = 70, bottom = top + height, each = size.plot / 24;
    let out = `<path class="axis" d="M${size.left} ${bottom}H${size.left + size.plot}"/>`;
    means.forEach((mean, hour) => {
      const at = size.left + hour * each, middle = round(at + each / 2);
      if (!isNaN(mean)) {
        const tall = round(height * mean / most);
        out += `<rect class="host" opacity=".7" x="${round(at + 1)}" y="${bottom - tall}" width="${round(each - 2)}" height="${tall}"/>`;
        if (!size.narrow) out += `<text class="small" x="${middle}" y="${bottom - tall - 4}" text-anchor="middle">${span(mean).split(' ').slice(0, 2).join(' ')}</text>`;
      }
      const name = minutes => String(Math.floor(((hour * 60 + minutes) % 1440 + 1440) % 1440 / 60)).padStart(2, '0');
      if (!size.narrow || hour % 3 === 0) {
        out += `<text x="${middle}" y="${bottom + 16}" text-anchor="middle">${name(0)}</text>`;
        if (data.offset !== undefined) out += `<text x="${middle}" y="${bottom + 31}" text-anchor="middle">${name(data.offset)}</text>`;
      }
    });
    if (!size.narrow) {
      out += `<text x="${size.left - 8}" y="${bottom + 16}" text-anchor="end">hour, UTC</text>`;
      if (data.offset !== undefined) out += `<text x="${size.left - 8}" y="${bottom + 31}" text-anchor="end">${zone()}</text>`;
    }
    $('hours').innerHTML = `<svg viewBox="0 0 ${size.width} ${bottom + axisHeight()}" role="img" aria-label="How soon a total outage ` +
      `would have been noticed, on average, by hour of the day: ${means.map((v, i) => isNaN(v) ? '' : `${i} UTC ${span(v)}`).filter(Boolean).join(', ')}">${out}</svg>`;
  }

  function measure() {
    const width = Math.max(280, Math.floor($('main').clientWidth)), narrow = width < 640;
    const left = narrow ? 40 : 176, end = data.to;
    size = {width, narrow, left, plot: width - left - (narrow ? 4 : 14), from: data.from, to: Math.max(data.to, data.from + data.bin), end};
    if (view) [size.from, size.to] = view;
  }

  function draw() {
    plots = [];
    measure();
    drawMain();
    drawRows('populations', ['from', 'towards', 'beside', 'hosts'].map(name => data.populations.find(one => one.name === name)).filter(one => one.o.some(v => !isNaN(v))), 'Three populations');
    for (const kind of ['path', 'prefix', 'service'])
      drawRows(kind, data.rows.filter(one => one.name.startsWith(`${kind}:`)), `By ${kind}`);
    drawHosts();
    drawSight();
    $('rows-note').textContent = [data.more ? `${data.more} more are not drawn.` : '',
      data.unheard.length ? `Never heard, and so not drawn: ${data.unheard.map(short).join(', ')}.` : ''].join(' ');
    for (const button of document.querySelectorAll('.tools button[data-from]'))
      button.setAttribute('aria-pressed', String(Boolean(view) && view[0] === +button.dataset.from));
    show();
  }

  // ---- reading off ----

  const at = (one, t) => {
    const i = Math.floor((t - one.t) / one.w);
    return i >= 0 && i < one.n ? i : -1;
  };

  function tell(t) {
    const one = data.all, i = at(one, t);
    if (i < 0) return ['', ''];
    const from = one.t + i * one.w, when = one.w > 60 ? `${clock(from)}, ${span(one.w)}` : clock(from);
    let what = `${figure(one.o[i])} ${isNaN(one.e[i]) ? '' : `of ${figure(one.e[i])} expected `}${data.measure} a minute`;
    if (!isNaN(one.l[i])) what += isNaN(one.h[i]) ? `, usual ${figure(one.l[i])} and more` : `, usual ${figure(one.l[i])} to ${figure(one.h[i])}`;
    what += one.s[i] === 'm' ? '' : `; ${STATES[one.s[i]]}`;
    return [when, one.s[i] === 'm' ? STATES.m : what];
  }

  function tellRow(t) {
    if (!hover) return '';
    if (hover.slots) {
      const i = Math.floor((t - data.hosts.t) / data.hosts.w), c = hover.slots[i] || '.';
      return `${hover.name} ${c === '.' ? 'was silent' : c === 'i' || data.hosts.w === data.bin ? 'spoke' : `spoke in about ${Math.round((c.charCodeAt(0) - 96) * 100 / 9)} % of the bins`}`;
    }
    const one = hover.one, i = at(one, t);
    if (i < 0) return '';
    return `${hover.name}: ${one.s[i] === 'm' ? STATES.m : `${figure(one.o[i])}${one.e && !isNaN(one.e[i]) ? ` of ${figure(one.e[i])}` : ''} ${hover.unit || 'a minute'}; ${STATES[one.s[i]]}`}`;
  }

  function show() {
    const main = $('main');
    const inside = cursor !== null && cursor >= size.from && cursor <= size.to;
    for (const one of plots) one.line.setAttribute('d', inside ? `M${x(cursor)} 0V${one.height - axisHeight()}` : '');
    const [when, what] = inside ? tell(cursor) : ['', ''];
    $('read-time').textContent = when || `${clock(size.from)} to ${clock(size.to)}`;
    $('read-value').textContent = inside ? [what, tellRow(cursor)].filter(Boolean).join(' · ') : '';
    main.setAttribute('aria-valuemin', Math.floor(size.from));
    main.setAttribute('aria-valuemax', Math.ceil(size.to));
    main.setAttribute('aria-valuenow', Math.round(inside ? cursor : size.from));
    main.setAttribute('aria-valuetext', inside ? `${when}: ${what}` : 'nothing is read off');
  }

  // ---- moving ----

  function zoom(from, to) {
    const least = 10 * data.all.w, whole = data.to - data.from;
    if (to - from < least) [from, to] = [(from + to - least) / 2, (from + to + least) / 2];
    if (to - from >= whole) view = null;
    else {
      if (from < data.from) [from, to] = [data.from, data.from + to - from];
      if (to > data.to) [from, to] = [data.to - (to - from), data.to];
      view = [from, to];
    }
    draw();
  }

  const around = (centre, by) => {
    const half = (size.to - size.from) * by / 2;
    zoom(centre - half, centre + half);
  };

  const timeAt = event => {
    const box = event.currentTarget.getBoundingClientRect();
    const share = ((event.clientX - box.left) * size.width / box.width - size.left) / size.plot;
    return size.from + Math.min(1, Math.max(0, share)) * (size.to - size.from);
  };

  function mark() {
    for (const one of plots) {
      one.choice.setAttribute('x', drag ? Math.min(x(drag.from), x(drag.to)) : 0);
      one.choice.setAttribute('width', drag ? Math.abs(x(drag.to) - x(drag.from)) : 0);
    }
  }

  function move(event) {
    const one = plots.find(plot => plot.place === event.currentTarget), box = event.currentTarget.getBoundingClientRect();
    const y = (event.clientY - box.top) * size.width / box.width;
    cursor = timeAt(event);
    hover = one && one.rows.find(row => y >= row.top && y < row.bottom) || null;
    if (drag) drag.to = cursor, mark();
    show();
  }

  function up(event) {
    if (!drag) return;
    const {from, to} = drag, wide = Math.abs(x(to) - x(from)) > 6;
    drag = null;
    mark();
    if (wide && event.type === 'pointerup') zoom(Math.min(from, to), Math.max(from, to));
  }

  function key(event) {
    const w = data.all.w, step = Math.max(w, Math.ceil((size.to - size.from) / size.plot / w) * w) * (event.shiftKey ? 10 : 1);
    const centre = cursor ?? (size.from + size.to) / 2, to = t => { cursor = Math.min(size.to - w / 2, Math.max(size.from + w / 2, t)); hover = null; show(); };
    const keys = {ArrowLeft: () => to(centre - step), ArrowRight: () => to(centre + step), ArrowDown: () => to(centre - step),
      ArrowUp: () => to(centre + step), PageDown: () => to(centre - 10 * step), PageUp: () => to(centre + 10 * step),
      Home: () => to(size.from), End: () => to(size.to),
      '+': () => around(centre, .5), '=': () => around(centre, .5), '-': () => around(centre, 2), '0': () => zoom(data.from, data.to),
      Escape: () => zoom(data.from, data.to)};
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }

  function tools() {
    const bar = $('tools'), add = (text, act, more = {}) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.id = `tool-${bar.children.length}`;
      button.textContent = text;
      Object.assign(button.dataset, more);
      button.addEventListener('click', act);
      bar.append(button);
    };
    bar.textContent = '';
    add('All', () => zoom(data.from, data.to));
    add('Closer', () => around(cursor ?? (size.from + size.to) / 2, .5));
    add('Wider', () => around((size.from + size.to) / 2, 2));
    add('Earlier', () => zoom(size.from - (size.to - size.from) / 2, size.to - (size.to - size.from) / 2));
    add('Later', () => zoom(size.from + (size.to - size.from) / 2, size.to + (size.to - size.from) / 2));
    const told = data.episodes.filter(one => one.on[1] !== null && (one.off ? one.off[1] : data.to) > data.from);
    told.slice(-6).forEach(one => {
      const until = one.off ? one.off[1] : data.to, side = Math.max((until - one.on[1]) / 5, 10 * data.all.w);
      const from = Math.max(data.from, one.on[1] - side), to = Math.min(data.to, until + side);
      add(one.sensor ? `Sensor ${stamp(one.on[1]).slice(5, 16)}` : `${one.scope === 'all' ? 'Outage' : short(one.scope)} ${stamp(one.on[1]).slice(5, 16)}`,
          () => zoom(from, to), {from});
    });
  }

  function start() {
    const before = data && data.to, follows = view && view[1] >= before - data.bin;
    const known = read();
    for (const place of document.querySelectorAll('.drawn')) place.hidden = !known;
    if (!known) return;
    if (follows) view = view.map(t => t + data.to - before); // who looks at the latest goes on doing so
    tools();
    draw();
    for (const place of document.querySelectorAll('.plot')) {
      place.addEventListener('pointermove', move);
      place.addEventListener('pointerdown', event => {
        if (event.button !== 0) return;
        place.setPointerCapture(event.pointerId);
        drag = {from: timeAt(event), to: timeAt(event)};
        move(event);
      });
      for (const type of ['pointerup', 'pointercancel']) place.addEventListener(type, up);
      place.addEventListener('dblclick', () => zoom(data.from, data.to));
    }
    $('main').addEventListener('keydown', key);
  }

  start();
  let width = 0;
  addEventListener('resize', () => {
    if (!data || innerWidth === width) return;
    width = innerWidth;
    draw();
  });
  addEventListener('beforeprint', () => {
    for (const details of document.querySelectorAll('details')) details.open = true;
    if (data) draw();
  });

  // ---- the live page brings itself up to date ----

  async function look() {
    const lost = $('lost');
    try {
      const answer = await fetch('/', {cache: 'no-store', signal: AbortSignal.timeout(4000)});
      if (!answer.ok) throw new Error(answer.status);
      const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
      if (drag) throw null; // not under somebody's finger
      const focus = document.activeElement && document.activeElement.id;
      const open = new Set(Array.from(document.querySelectorAll('details[open]'), one => one.id));
      for (const part of ['main', 'link[rel=icon]']) document.querySelector(part).replaceWith(next.querySelector(part));
      for (const id of open) if (id && $(id)) $(id).open = true;
      document.title = next.title;
      lost.hidden = true;
      start();
      if (focus && $(focus)) $(focus).focus({preventScroll: true});
    } catch (error) {
      if (error === null) return void setTimeout(look, 1000);
      if (lost.hidden) document.title = `No answer · ${document.title}`;
      lost.hidden = false;
    }
    setTimeout(look, 5000);
  }
  if ($('lost')) setTimeout(look, 5000);
})();
