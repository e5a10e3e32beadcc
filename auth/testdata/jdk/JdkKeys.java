import java.io.FileWriter;
import java.security.AlgorithmParameters;
import java.security.KeyPairGenerator;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import javax.crypto.Cipher;
import javax.crypto.SecretKey;
import javax.crypto.SecretKeyFactory;
import javax.crypto.spec.PBEKeySpec;
import javax.crypto.spec.PBEParameterSpec;

/** Writes PBES2 keys as the JDK does, see README.md. */
public class JdkKeys {
    public static void main(String[] args) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        byte[] plain = generator.generateKeyPair().getPrivate().getEncoded();
        write("plain.pem", "PRIVATE KEY", plain);
        for (String algorithm : new String[] {"PBEWithHmacSHA1AndAES_128", "PBEWithHmacSHA256AndAES_256",
                "PBEWithHmacSHA512AndAES_256"}) {
            SecretKey key = SecretKeyFactory.getInstance(algorithm).generateSecret(new PBEKeySpec("pass1234".toCharArray()));
            Cipher cipher = Cipher.getInstance(algorithm);
            cipher.init(Cipher.ENCRYPT_MODE, key, new PBEParameterSpec("saltsalt".getBytes(), 4096));
            AlgorithmParameters parameters = cipher.getParameters();
            write(algorithm + ".pem", "ENCRYPTED PRIVATE KEY",
                info(parameters.getEncoded(), cipher.doFinal(plain)));
        }
    }

    /** EncryptedPrivateKeyInfo by hand: the JDK's class does not know the name of its own algorithm. */
    static byte[] info(byte[] parameters, byte[] data) {
        byte[] oid = {6, 9, 42, (byte) 134, 72, (byte) 134, (byte) 247, 13, 1, 5, 13};
        return tlv(0x30, tlv(0x30, oid, parameters), tlv(0x04, data));
    }

    static byte[] tlv(int tag, byte[]... parts) {
        int n = 0;
        for (byte[] part : parts) n += part.length;
        byte[] head = n < 128 ? new byte[] {(byte) tag, (byte) n} : n < 256 ? new byte[] {(byte) tag, (byte) 0x81, (byte) n}
            : new byte[] {(byte) tag, (byte) 0x82, (byte) (n >> 8), (byte) n};
        byte[] out = java.util.Arrays.copyOf(head, head.length + n);
        int at = head.length;
        for (byte[] part : parts) {
            System.arraycopy(part, 0, out, at, part.length);
            at += part.length;
        }
        return out;
    }

    static void write(String file, String label, byte[] der) throws Exception {
        try (FileWriter writer = new FileWriter(file)) {
            writer.write("-----BEGIN " + label + "-----\n" + Base64.getMimeEncoder(64, "\n".getBytes()).encodeToString(der)
                + "\n-----END " + label + "-----\n");
        }
    }
}
