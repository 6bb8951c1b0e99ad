//! The load of an echo server, in waves: a message on each connection, then the answer of each, until the server ends.
//! Every message differs from the one before and from those of other connections, and every answer is compared.

use std::{
    env,
    io::{Error, ErrorKind, Read, Result, Write},
    net::{Ipv4Addr, TcpStream},
    process::ExitCode,
    time::Duration,
};

const MESSAGE_BYTES: usize = 64;
const PATIENCE: Duration = Duration::from_secs(5);

fn connect(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn message(wave: u64, connection: usize) -> [u8; MESSAGE_BYTES] {
    let mut message = [b'x'; MESSAGE_BYTES];
    message[..8].copy_from_slice(&wave.to_le_bytes());
    message[8..16].copy_from_slice(&connection.to_le_bytes());
    message
}

fn load(port: u16, connections: usize) -> Result<()> {
    let mut streams = (0..connections).map(|_| connect(port)).collect::<Result<Vec<_>>>()?;
    let mut answer = [0; MESSAGE_BYTES];
    for wave in 0.. {
        for (connection, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&message(wave, connection))?;
        }
        for (connection, stream) in streams.iter_mut().enumerate() {
            stream.read_exact(&mut answer)?;
            if answer != message(wave, connection) {
                return Err(Error::new(ErrorKind::InvalidData, format!("answer {wave} is not what was sent")));
            }
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<usize> = env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let &[port, connections] = arguments.as_slice() else {
        eprintln!("echo-load PORT CONNECTIONS");
        return ExitCode::from(2);
    };
    let port = u16::try_from(port).expect("a port has sixteen bits");
    match load(port, connections) {
        Err(error)
            if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) =>
        {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
